/* Networks to run and the arena bytes that none of their buffers owns. */
#ifndef RUNNER_H
#define RUNNER_H

#include "tinyengine/te_model.h"

typedef struct runner_gap {
    uint32_t low, high;
} runner_gap;

typedef struct runner_entry {
    const te_model *model;
    const runner_gap *gaps;
    uint32_t gap_count;
} runner_entry;

extern const runner_entry runner_entries[];
extern const uint32_t runner_count;

#endif
