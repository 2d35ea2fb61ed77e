/* Copies words: the C library's memcpy for small cores goes byte by byte. */
#ifndef TE_COPY_WORDS_H
#define TE_COPY_WORDS_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

/* Both aligned to 4; `to` may lie before `from`, however near. BUDGET: 4 instructions per 8 words, 5 per word of the rest. */
void te_copy_words(void *to, const void *from, uint32_t words);

TE_END_C

#endif
