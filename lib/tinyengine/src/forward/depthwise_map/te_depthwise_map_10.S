#include "te_depthwise_map_dsp.inc"
TE_DEPTHWISE_MAPS_10(TE_MAP, TE_MAP_BY_2)

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
