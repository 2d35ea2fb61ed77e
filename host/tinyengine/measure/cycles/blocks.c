/* A QEMU TCG plugin that counts how often each translated block runs, how often control leaves it for
 * somewhere else than the next instruction (taken branches), and what unaligned accesses cost a Cortex-M4.
 *
 *     -plugin blocks.so,out=FILE,mark=0x1234,mark=0x5678
 *
 * Whenever execution reaches the first block of a mark, FILE gets a record and the counts start at zero
 * again. A record, little-endian: u32 the mark's address, u32 n, u64 cycles of unaligned accesses, then n
 * times u32 address, u32 instructions, u64 runs, u64 taken. host/tinyengine/cycles/trace.py is the other end.
 *
 * QEMU's plugin interface is C; Debian packages no header for it, so what is used of version 1 is declared
 * here.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_mem_rw { QEMU_PLUGIN_MEM_RW = 3 };
typedef uint32_t qemu_plugin_meminfo_t;
typedef void (*vcpu_callback)(unsigned int cpu, void *userdata);
typedef void (*memory_callback)(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t address,
                                void *userdata);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*callback)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, vcpu_callback callback,
                                          enum qemu_plugin_cb_flags flags, void *userdata);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, memory_callback callback,
                                      enum qemu_plugin_cb_flags flags, enum qemu_plugin_mem_rw accesses,
                                      void *userdata);
unsigned int qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t info);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv);

#define MAX_MARKS 8

typedef struct block {
    struct block *next;
    uint32_t address, end, instructions;
    bool marked;
    uint64_t runs, taken;
} block;

static block *blocks;   /* all that were ever translated */
static block *previous; /* the one that ran last */
static uint32_t marks[MAX_MARKS];
static unsigned int n_marks;
static uint64_t unaligned; /* cycles */
static FILE *out;

static void put(const void *data, size_t bytes) {
    if (fwrite(data, bytes, 1, out) != 1) abort();
}

static void emit(uint32_t mark) {
    uint32_t count = 0;
    for (const block *each = blocks; each; each = each->next) count += each->runs != 0;
    put(&mark, sizeof mark);
    put(&count, sizeof count);
    put(&unaligned, sizeof unaligned);
    unaligned = 0;
    for (block *each = blocks; each; each = each->next) {
        if (each->runs == 0) continue;
        put(&each->address, sizeof each->address);
        put(&each->instructions, sizeof each->instructions);
        put(&each->runs, sizeof each->runs);
        put(&each->taken, sizeof each->taken);
        each->runs = each->taken = 0;
    }
    if (fflush(out)) abort();
}

static void on_run(unsigned int cpu, void *userdata) {
    block *const now = userdata;
    (void)cpu;
    if (previous && previous->end != now->address) previous->taken++;
    if (now->marked) emit(now->address);
    now->runs++;
    previous = now;
}

/* Halfwords and words at halfword addresses take one cycle more, words at odd addresses two; what is larger
 * than a word is an access to several words. */
static void on_access(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t address, void *userdata) {
    const unsigned int shift = qemu_plugin_mem_size_shift(info);
    (void)cpu;
    (void)userdata;
    if (shift == 1)
        unaligned += address & 1;
    else if (shift > 1)
        unaligned += address & 1 ? 2 : (address & 2) >> 1;
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    const size_t n = qemu_plugin_tb_n_insns(tb);
    const struct qemu_plugin_insn *const last = qemu_plugin_tb_get_insn(tb, n - 1);
    block *const made = calloc(1, sizeof *made);
    (void)id;
    if (!made) abort();
    made->address = (uint32_t)qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));
    made->end = (uint32_t)(qemu_plugin_insn_vaddr(last) + qemu_plugin_insn_size(last));
    made->instructions = (uint32_t)n;
    for (size_t i = 0; i < n; i++)
        qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(tb, i), on_access, QEMU_PLUGIN_CB_NO_REGS,
                                         QEMU_PLUGIN_MEM_RW, NULL);
    for (unsigned int i = 0; i < n_marks; i++) made->marked |= marks[i] == made->address;
    made->next = blocks;
    blocks = made;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_run, QEMU_PLUGIN_CB_NO_REGS, made);
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0) out = fopen(argv[i] + 4, "wb");
        if (strncmp(argv[i], "mark=", 5) == 0 && n_marks < MAX_MARKS)
            marks[n_marks++] = (uint32_t)strtoul(argv[i] + 5, NULL, 0);
    }
    if (!out || n_marks == 0) return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    return 0;
}
