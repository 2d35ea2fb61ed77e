/* Portable twin of te_copy_words_dsp.S. */
#include "tinyengine/te_copy_words.h"

#if !TE_DSP

#include <string.h>

void te_copy_words(void *to, const void *from, uint32_t words) {
    memmove(to, from, 4 * words);
}

#endif
