/* CRC-32 of Ethernet and zlib: reflected polynomial 0xEDB88320, start and final XOR 0xFFFFFFFF. */
#ifndef CRC32_H
#define CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Continues `crc` (0 to begin) over `length` bytes. */
uint32_t fw_crc32(uint32_t crc, const uint8_t *data, size_t length);

#endif
