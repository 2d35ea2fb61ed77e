/* Runs each network once: inputs from stdin, the whole arena to stdout. Gaps are out of bounds meanwhile. */
#include "runner.h"

#include <stdio.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif

#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>
#define FORBID(address, size) ASAN_POISON_MEMORY_REGION(address, size)
#define ALLOW(address, size) ASAN_UNPOISON_MEMORY_REGION(address, size)
#else
#define FORBID(address, size) ((void)(address), (void)(size))
#define ALLOW(address, size) ((void)(address), (void)(size))
#endif

#define FILL 0xA5

static int run(const runner_entry *e) {
    const te_model *m = e->model;
    memset(m->arena, FILL, m->arena_bytes);
    for (uint32_t i = 0; i < m->n_inputs; i++)
        if (fread(m->inputs[i].data, 1, m->inputs[i].bytes, stdin) != m->inputs[i].bytes) return 2;
    for (uint32_t i = 0; i < e->gap_count; i++)
        FORBID(m->arena + e->gaps[i].low, e->gaps[i].high - e->gaps[i].low);
    m->run();
    ALLOW(m->arena, m->arena_bytes);
    return fwrite(m->arena, 1, m->arena_bytes, stdout) == m->arena_bytes ? 0 : 3;
}

int main(void) {
    for (uint32_t i = 0; i < runner_count; i++) {
        const int failed = run(&runner_entries[i]);
        if (failed) return failed;
    }
    return 0;
}
