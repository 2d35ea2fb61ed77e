/* MicroPython on the simulated boards of Arm's MPS2 series: a raw REPL on the UART, native modules, and the
 * board's second memory, where the simulator puts files for the tests. */
#include "py/builtin.h"
#include "py/compile.h"
#include "py/gc.h"
#include "py/objarray.h"
#include "py/objmodule.h"
#include "py/persistentcode.h"
#include "py/runtime.h"
#include "py/stackctrl.h"
#include "shared/runtime/gchelper.h"
#include "shared/runtime/pyexec.h"

#define REG32(address) (*(volatile uint32_t *)(address))
#define UART_DATA REG32(0x40004000u)
#define UART_STATE REG32(0x40004004u)
#define UART_CTRL REG32(0x40004008u)
#define UART_BAUDDIV REG32(0x40004010u)
#define CPACR REG32(0xE000ED88u)
enum { TX_FULL = 1, RX_FULL = 2, BOTH_WAYS = 3 };

extern uint32_t port_bss_start[], port_bss_end[], port_stack_limit[], port_stack_top[];
static uint64_t heap[HEAP_BYTES / 8];

int mp_hal_stdin_rx_chr(void) {
    while (!(UART_STATE & RX_FULL)) {
    }
    return (int)UART_DATA;
}

mp_uint_t mp_hal_stdout_tx_strn(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        while (UART_STATE & TX_FULL) {
        }
        UART_DATA = (uint8_t)text[i];
    }
    return length;
}

void gc_collect(void) {
    gc_collect_start();
    gc_helper_collect_regs_and_stack();
    gc_collect_end();
}

mp_lexer_t *mp_lexer_new_from_file(qstr name) {
    (void)name;
    mp_raise_OSError(2);
}

mp_import_stat_t mp_import_stat(const char *path) {
    (void)path;
    return MP_IMPORT_STAT_NO_EXIST;
}

static void stop(void) {
    for (;;) __asm__ volatile("wfi");
}

void nlr_jump_fail(void *value) {
    (void)value;
    mp_hal_stdout_tx_strn("no handler\n", 11);
    stop();
    __builtin_unreachable();
}

/* memory(address, length): a view of so many bytes */
static mp_obj_t port_memory(mp_obj_t address, mp_obj_t length) {
    return mp_obj_new_memoryview('B', (size_t)mp_obj_get_int(length),
                                 (void *)(uintptr_t)mp_obj_get_int_truncated(address));
}
static MP_DEFINE_CONST_FUN_OBJ_2(memory_obj, port_memory);

/* load(file): the module of a .mpy */
static mp_obj_t port_load(mp_obj_t file) {
    mp_buffer_info_t bytes;
    mp_get_buffer_raise(file, &bytes, MP_BUFFER_READ);
    mp_obj_t module = mp_obj_new_module(qstr_from_str("loaded"));
    mp_compiled_module_t compiled = {.context = MP_OBJ_TO_PTR(module)};
    mp_raw_code_load_mem(bytes.buf, bytes.len, &compiled);
    mp_call_function_0(mp_make_function_from_proto_fun(compiled.rc, compiled.context, NULL));
    return module;
}
static MP_DEFINE_CONST_FUN_OBJ_1(load_obj, port_load);

static const mp_rom_map_elem_t port_table[] = {
    {MP_ROM_QSTR(MP_QSTR_memory), MP_ROM_PTR(&memory_obj)},
    {MP_ROM_QSTR(MP_QSTR_load), MP_ROM_PTR(&load_obj)},
};
static MP_DEFINE_CONST_DICT(port_globals, port_table);
const mp_obj_module_t port_module = {{&mp_type_module}, (mp_obj_dict_t *)&port_globals};
MP_REGISTER_MODULE(MP_QSTR_port, port_module);

void reset_handler(void);

void reset_handler(void) {
    CPACR |= 0xFu << 20; /* the FPU */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    for (uint32_t *word = port_bss_start; word < port_bss_end; word++) *word = 0;
    UART_BAUDDIV = 16;
    UART_CTRL = BOTH_WAYS;
    mp_stack_set_top(port_stack_top);
    mp_stack_set_limit(32 * 1024);
    gc_init(heap, (uint8_t *)heap + sizeof heap);
    mp_init();
    pyexec_mode_kind = PYEXEC_MODE_RAW_REPL;
    for (;;) pyexec_raw_repl();
}

static void fault_handler(void) {
    mp_hal_stdout_tx_strn("fault\n", 6);
    stop();
}

__attribute__((used, section(".vectors"))) static const void *const vectors[] = {
    port_stack_top, reset_handler, fault_handler, fault_handler, fault_handler, fault_handler, fault_handler};
