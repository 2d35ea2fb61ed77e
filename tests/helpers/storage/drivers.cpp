/* The flash drivers of the STM32 against models of their controllers (RM0090 3.6 to 3.9, RM0385 3.3 to 3.7,
 * RM0433 4.3 and 4.9, RM0432 3.3 to 3.7, RM0456 7.3 to 7.9), and the storage on top of them.
 *
 * C++ because a register is then an object whose accesses the model sees; the driver is the firmware's
 * source, included below. -DDRIVER="..." names it, board.h is the board's. Ends with status 1 and a
 * sentence at the first access that the reference manual forbids.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vector>

extern "C" {
#include "flash.h"
#include "storage.h"
}

/* ---- What the driver includes, in place of common/cortex_m.h ---- */

#define CORTEX_M_H
#define _Static_assert static_assert
#define BIT(n) (1u << (n))

struct Register {
    uint32_t address;
    operator uint32_t() const;
    void operator=(uint32_t value) const;
    void operator|=(uint32_t value) const { *this = *this | value; }
    void operator&=(uint32_t value) const { *this = *this & value; }
    Register operator&() const { return *this; }
};
#define REG32(a) (Register{(uint32_t)(a)})
#define REG8(a) (model.read_byte((uint32_t)(a)))
#define SCB_CCR REG32(0xE000ED14u)
#define SCB_CCR_BFHFNMIGN BIT(8)
#define SCB_CFSR REG32(0xE000ED28u)

static bool hal_system_wait_for(Register reg, uint32_t mask, uint32_t value);
#include "board.h"

[[noreturn]] static void fail(const char *what) {
    printf("%s\n", what);
    exit(1);
}

static void check(bool right, const char *what) {
    if (!right) fail(what);
}

/* ---- The controller ---- */

struct Controller {
    static constexpr uint32_t FLASH_END = 0x08200000u;
    std::vector<uint8_t> memory = std::vector<uint8_t>(FLASH_END - 0x08000000u, 0xFF);
    bool locked = true, jammed = false; /* jammed: a wrong key, until the next reset */
    uint32_t cr = 0, sr = 0, keys = 0;
    uint32_t busy = 0;                     /* reads of the status until the operation has ended */
    uint32_t fail_next = 0;                /* error bits of the next operation */
    bool hangs = false;                    /* the next operation never ends */
    uint32_t stale_from = 0, stale_to = 0; /* addresses of which a cache may hold old bytes */
    uint32_t operations = 0;

    virtual ~Controller() = default;
    virtual uint32_t read(uint32_t address) = 0;
    virtual void write(uint32_t address, uint32_t value) = 0;

    uint8_t *at(uint32_t address, uint32_t bytes) {
        check(address >= 0x08000000u && address + bytes <= FLASH_END, "an access outside the flash");
        return &memory[address - 0x08000000u];
    }

    virtual uint8_t read_byte(uint32_t address) {
        check(!busy, "reading from a bank that is busy");
        check(address < stale_from || address >= stale_to, "reading what a cache may still hold");
        return *at(address, 1);
    }

    void key(uint32_t value) {
        const uint32_t wanted[] = {0x45670123u, 0xCDEF89ABu};
        check(locked, "a key for a controller that is not locked");
        if (jammed || value != wanted[keys]) jammed = true;
        if (!jammed && ++keys == 2) locked = false, keys = 0;
    }

    /* An operation begins that changes these bytes; false: it fails instead. */
    bool begin(uint32_t address, uint32_t bytes) {
        operations++;
        busy = 5;
        sr |= fail_next;
        if (stale_from == stale_to) stale_from = address, stale_to = address;
        if (address < stale_from) stale_from = address;
        if (address + bytes > stale_to) stale_to = address + bytes;
        const bool works = !fail_next;
        fail_next = 0;
        return works;
    }

    void erase(uint32_t address, uint32_t bytes) {
        if (begin(address, bytes)) memset(at(address, bytes), 0xFF, bytes);
    }

    /* The core's cache drops what it holds. */
    virtual void forget(uint32_t address, uint32_t bytes) {
        if (address <= stale_from && address + bytes >= stale_to) stale_from = stale_to = 0;
    }

    bool takes_time() {
        if (busy && !hangs) busy--;
        return busy;
    }
};

static bool bus_faults_ignored;
static uint32_t scb_ccr, scb_cfsr, milliseconds;

/* STM32F4 and STM32F7 */
struct ControllerV1 : Controller {
    static constexpr uint32_t BASE = 0x40023C00u, BUSY = BIT(16), LOCK = BIT(31), STRT = BIT(16);
    bool has_data_cache;
    uint32_t acr;
    explicit ControllerV1(bool cache)
        : has_data_cache(cache), acr(cache ? BIT(8) | BIT(9) | BIT(10) | 5u : 7u) {}

    void forget(uint32_t address, uint32_t bytes) override {
        if (!has_data_cache) Controller::forget(address, bytes); /* the STM32F4's is the controller's own */
    }

    /* Sectors of a bank: four small ones, one of four times, then eight times their size; bit 4 is the bank. */
    static void sector(uint32_t code, uint32_t *address, uint32_t *bytes) {
        const uint32_t small = BOARD_FLASH_SECTOR_BYTES / 8u, number = code & 15u;
        check(number < 12 && code >> 4 < BOARD_FLASH_BANK, "a sector that does not exist");
        *bytes = number < 4 ? small : number == 4 ? 4u * small : 8u * small;
        *address = 0x08000000u + (code >> 4) * 0x100000u +
                   (number < 5 ? number * small : (number - 4u) * 8u * small);
    }

    uint32_t read(uint32_t address) override {
        if (address == BASE) return acr;
        if (address == BASE + 0x10u) return cr | (locked ? LOCK : 0u);
        check(address == BASE + 0x0Cu, "reading another register");
        return sr | (takes_time() ? BUSY : 0u);
    }

    void write(uint32_t address, uint32_t value) override {
        if (address == BASE) {
            check((value & ~BIT(12)) == acr || (value | BIT(10)) == acr || value == (acr | BIT(10)),
                  "other bits of the access control register changed");
            check(!(value & BIT(12)) || !(value & BIT(10)), "resetting a cache that is on");
            if (value & BIT(12) && has_data_cache) stale_from = stale_to = 0;
            acr = value & ~BIT(12);
        } else if (address == BASE + 0x04u) {
            key(value);
        } else if (address == BASE + 0x0Cu) {
            sr &= ~value;
        } else if (address == BASE + 0x10u) {
            control(value);
        } else {
            program(address, value);
        }
    }

    void control(uint32_t value) {
        if (value & LOCK) {
            locked = true;
            return;
        }
        check(!locked, "the control register is locked");
        check(!busy, "the control register during an operation");
        check((value & 0x300u) == 0x200u, "parallelism of 32 bits");
        cr = value & ~STRT;
        if (value & STRT) {
            uint32_t from, bytes;
            check((value & 7u) == 2u, "starting something else than the erasing of a sector");
            sector(value >> 3 & 31u, &from, &bytes);
            erase(from, bytes);
        }
    }

    void program(uint32_t address, uint32_t value) {
        check(!locked && (cr & 7u) == 1u, "programming without PG");
        check(!busy, "programming during an operation");
        check(address % 4u == 0, "programming a word that is not aligned");
        if (!begin(address, 4)) return;
        for (uint32_t i = 0; i < 4; i++) at(address, 4)[i] &= (uint8_t)(value >> 8 * i);
    }
};

/* STM32H7, bank 2 */
struct ControllerH7 : Controller {
    static constexpr uint32_t BASE = 0x52002100u, LOCK = BIT(0), PG = BIT(1), SER = BIT(2), START = BIT(7),
                              PGSERR = BIT(18), INCERR = BIT(21), EOP = BIT(16), DBECCERR = BIT(26);
    std::vector<uint8_t> used = std::vector<uint8_t>((FLASH_END - 0x08000000u) / 32u, 0);
    uint32_t buffer[8] = {}, filled = 0, buffer_at = 0;

    uint32_t unit(uint32_t address) { return (address - 0x08000000u) / 32u; }

    /* Something that a power cut left: the error code does not match. */
    void break_word(uint32_t address) { used[unit(address)] = 2; }

    uint8_t read_byte(uint32_t address) override {
        if (used[unit(address)] == 2) {
            sr |= DBECCERR;
            check(bus_faults_ignored && scb_ccr & BIT(8), "a bus fault");
            scb_cfsr |= BIT(9);
            return 0xEE;
        }
        return Controller::read_byte(address);
    }

    uint32_t read(uint32_t address) override {
        if (address == BASE + 0x0Cu) return cr | (locked ? LOCK : 0u);
        check(address == BASE + 0x10u, "reading another register");
        return sr | (filled ? BIT(1) : 0u) | (takes_time() ? BIT(0) | BIT(2) : 0u);
    }

    void write(uint32_t address, uint32_t value) override {
        if (address == BASE + 0x04u) {
            key(value);
        } else if (address == BASE + 0x14u) {
            check(!(value & 0x7u), "clearing what is no flag");
            sr &= ~value;
        } else if (address == BASE + 0x0Cu) {
            control(value);
        } else {
            program(address, value);
        }
    }

    void control(uint32_t value) {
        check(!locked, "the control register is locked");
        check((value & 0x30u) == 0x30u, "parallelism as after reset");
        if (value & LOCK) { /* changes nothing else */
            check(!(cr & (PG | SER)), "locked with an operation requested");
            locked = true;
            return;
        }
        cr = value & ~START;
        if (value & START) {
            check((value & 0xEu) == SER, "starting something else than the erasing of a sector");
            check(!busy, "erasing during an operation");
            const uint32_t from = 0x08100000u + (value >> 8 & 7u) * 131072u;
            erase(from, 131072u);
            memset(&used[unit(from)], 0, 131072u / 32u);
        }
    }

    void program(uint32_t address, uint32_t value) {
        if (locked || !(cr & PG) || busy) {
            sr |= PGSERR;
            return;
        }
        if (filled == 0) {
            check(address % 32u == 0, "a flash word that is not aligned");
            buffer_at = address;
        }
        if (address != buffer_at + 4u * filled) sr |= INCERR;
        buffer[filled++] = value;
        if (filled < 8) return;
        filled = 0;
        check(!used[unit(buffer_at)], "a flash word that is programmed twice");
        if (!begin(buffer_at, 32)) return;
        memcpy(at(buffer_at, 32), buffer, 32);
        used[unit(buffer_at)] = 1;
        sr |= EOP;
    }
};

#ifdef MODEL_L4
extern "C" void hal_nmi_handler(void);

/* STM32L4+ and U5, bank 2. OFFSETS: of status, control, error code; READY: of the status register's bits. */
struct ControllerL4 : Controller {
    static constexpr uint32_t LOCK = BIT(31), PG = BIT(0), PER = BIT(1), BKER = BIT(11), STRT = BIT(16),
                              EOP = BIT(0), PROGERR = BIT(3), PGSERR = BIT(7), ECCD = BIT(31),
                              WORDS = STM32_FLASH_UNIT / 4u;
    std::vector<uint8_t> used = std::vector<uint8_t>((FLASH_END - 0x08000000u) / STM32_FLASH_UNIT, 0);
    uint32_t filled = 0, buffer_at = 0, buffer[4] = {}, acr = 5u | BIT(8) | BIT(9) | BIT(10), eccr = 0;
    uint32_t invalidating = 0;

    uint32_t unit(uint32_t address) { return (address - 0x08000000u) / STM32_FLASH_UNIT; }
    void break_word(uint32_t address) { used[unit(address)] = 2; }
    void forget(uint32_t, uint32_t) override {} /* the core has no cache */

    uint8_t read_byte(uint32_t address) override {
        check(!invalidating, "reading while the cache is emptied");
        if (used[unit(address)] == 2) {
            eccr |= ECCD;
            hal_nmi_handler();
            check(!(eccr & ECCD), "an error that comes again and again");
            return 0xEE;
        }
        return Controller::read_byte(address);
    }

    uint32_t read(uint32_t address) override {
        if (address == 0x40022000u) return acr;
        if (address == FLASH_CR.address) return cr | (locked ? LOCK : 0u);
        if (address == FLASH_ECCR.address) return eccr;
#ifdef ICACHE_CR
        if (address == 0x40030400u) return 1u;
        if (address == 0x40030404u) return invalidating && --invalidating ? BIT(0) : BIT(1);
#endif
        check(address == FLASH_SR.address, "reading another register");
        return sr | (filled ? SR_BUSY & BIT(17) : 0u) | (takes_time() ? BIT(16) : 0u);
    }

    void write(uint32_t address, uint32_t value) override {
        if (address == 0x40022000u) {
            check((value | BIT(10) | BIT(12)) == (acr | BIT(10) | BIT(12)),
                  "other bits of the access control");
            check(!(value & BIT(12)) || !(value & BIT(10)), "resetting a cache that is on");
            if (value & BIT(12)) stale_from = stale_to = 0;
            acr = value;
#ifdef ICACHE_CR
        } else if (address == 0x40030400u) {
            check((value & 3u) == 3u, "the cache stays on and is emptied");
            check(hangs || !busy, "emptying the cache during an operation");
            stale_from = stale_to = 0;
            invalidating = 4;
        } else if (address == 0x4003040Cu) {
            check(value == BIT(1), "clearing the end of the emptying");
#endif
        } else if (address == FLASH_KEYR.address) {
            key(value);
        } else if (address == FLASH_SR.address) {
            sr &= ~value;
        } else if (address == FLASH_ECCR.address) {
            eccr &= ~(value & ECCD);
        } else if (address == FLASH_CR.address) {
            control(value);
        } else {
            program(address, value);
        }
    }

    void control(uint32_t value) {
        if (value & LOCK) {
            check(hangs || !(cr & (PG | PER)), "locked with an operation requested");
            locked = true;
            return;
        }
        check(!locked, "the control register is locked");
        check(!busy, "the control register during an operation");
        cr = value & ~STRT;
        if (value & STRT) {
            check((value & 7u) == PER && value & BKER,
                  "starting something else than the erasing of a page of bank 2");
            check(!(sr & (PROGERR | PGSERR)), "starting with errors of the past");
            const uint32_t from = 0x08100000u + (value >> 3 & 255u) * BOARD_FLASH_SECTOR_BYTES;
            erase(from, BOARD_FLASH_SECTOR_BYTES);
            memset(&used[unit(from)], 0, BOARD_FLASH_SECTOR_BYTES / STM32_FLASH_UNIT);
        }
    }

    void program(uint32_t address, uint32_t value) {
        check(!(STM32_FLASH_UNIT == 8 && acr & BIT(10)), "programming with the data cache on");
        if (locked || !(cr & PG) || busy) {
            sr |= PGSERR;
            return;
        }
        if (filled == 0) {
            check(address % STM32_FLASH_UNIT == 0, "a unit that is not aligned");
            buffer_at = address;
        }
        check(address == buffer_at + 4u * filled, "the words of a unit out of order");
        buffer[filled++] = value;
        if (filled < WORDS) return;
        filled = 0;
        check(!used[unit(buffer_at)], "a unit that is programmed twice");
        if (!begin(buffer_at, STM32_FLASH_UNIT)) return;
        memcpy(at(buffer_at, STM32_FLASH_UNIT), buffer, STM32_FLASH_UNIT);
        used[unit(buffer_at)] = 1;
        sr |= EOP;
    }
};
using Model = ControllerL4;
static Model model;
#elif defined MODEL_H7
using Model = ControllerH7;
static Model model;
#else
using Model = ControllerV1;
static Model model(HAS_DATA_CACHE);
#endif

Register::operator uint32_t() const {
    if (address == 0xE000ED14u) return scb_ccr;
    if (address == 0xE000ED28u) return scb_cfsr;
    return model.read(address);
}
void Register::operator=(uint32_t value) const {
    if (address == 0xE000ED14u)
        scb_ccr = value;
    else if (address == 0xE000ED28u)
        scb_cfsr &= ~value;
    else
        model.write(address, value);
}
[[maybe_unused]] static bool hal_system_wait_for(Register reg, uint32_t mask, uint32_t value) {
    for (uint32_t tries = 0; tries < 1000u; tries++) {
        if ((reg & mask) == value) return true;
    }
    return false;
}
/* in place of common/startup.h */
#define STARTUP_H
extern "C" void hal_nmi_handler(void);
[[maybe_unused, noreturn]] static void hal_fault_report(const uint32_t *) {
    fail("a fault");
}

static void barrier() {}
[[maybe_unused]] static void faults_off() {
    bus_faults_ignored = true;
}
[[maybe_unused]] static void faults_on() {
    check(!(scb_ccr & BIT(8)), "faults taken while they are ignored");
    bus_faults_ignored = false;
}

#include DRIVER

uint32_t hal_millis() {
    return milliseconds += 3;
}
void hal_cache_forget(uint32_t address, uint32_t bytes) {
    if (!model.busy) model.forget(address, bytes);
}

/* ---- The tests ---- */

static uint8_t data[1000], back[1000];

static void at_rest() {
    check(model.locked && !model.busy, "the controller is left unlocked");
    check(!bus_faults_ignored && !(scb_ccr & BIT(8)) && !scb_cfsr, "faults are left ignored");
}

static void operations(const hal_flash *flash) {
    const uint32_t unit = flash->unit, second = flash->slots[1];
    const uint32_t beyond = flash->slots[1] + flash->slot_bytes, none = model.operations;
    check(flash->program(flash->slots[0] - unit, data, unit) == HAL_FLASH_REFUSED, "before the slots");
    check(flash->program(beyond, data, unit) == HAL_FLASH_REFUSED, "after the slots");
    check(flash->program(beyond - unit, data, 2 * unit) == HAL_FLASH_REFUSED, "across the end");
    check(flash->program(second + 1, data, unit) == HAL_FLASH_REFUSED, "not aligned");
    check(flash->program(second, data, unit + 1) == HAL_FLASH_REFUSED, "no whole unit");
    check(flash->erase_sector(second + 4) == HAL_FLASH_REFUSED, "no sector");
    check(flash->erase_sector(flash->slots[0] - flash->sector_bytes) == HAL_FLASH_REFUSED, "not ours");
    check(flash->read(beyond - 1, back, 2) == HAL_FLASH_REFUSED, "reading after the slots");
    check(model.operations == none, "a refusal that does something");

    /* Every sector of both slots is that one, and nothing else. */
    for (uint32_t sector = 0; sector < 2 * flash->slot_bytes; sector += flash->sector_bytes) {
        const uint32_t address = flash->slots[0] + sector;
        memset(model.memory.data(), 0, model.memory.size());
        check(flash->erase_sector(address) == HAL_FLASH_OK, "erasing");
        for (uint32_t i = 0; i < model.memory.size(); i++) {
            const bool inside = i + 0x08000000u - address < flash->sector_bytes;
            check(model.memory[i] == (inside ? 0xFF : 0), "another sector was erased");
        }
        at_rest();
    }
    memset(model.memory.data(), 0xFF, model.memory.size());

    check(flash->program(second + 64, data + 1, 10 * unit) == HAL_FLASH_OK, "programming");
    check(flash->read(second + 64, back, 10 * unit) == HAL_FLASH_OK, "reading");
    check(memcmp(back, data + 1, 10 * unit) == 0, "what was programmed");
    check(*model.at(second + 63, 1) == 0xFF && *model.at(second + 64 + 10 * unit, 1) == 0xFF, "beside it");
    at_rest();
}

static void errors(const hal_flash *flash) {
    const uint32_t second = flash->slots[1];
    model.fail_next = ERROR_BIT;
    check(flash->erase_sector(second) == HAL_FLASH_FAILED, "an error of an erase");
    at_rest();
    check(flash->erase_sector(second) == HAL_FLASH_OK, "errors of the past");
    model.fail_next = ERROR_BIT;
    const uint32_t before = model.operations;
    check(flash->program(second, data, 4 * flash->unit) == HAL_FLASH_FAILED, "an error of programming");
    check(model.operations == before + 1, "it goes on after an error");
    at_rest();
    check(flash->erase_sector(second) == HAL_FLASH_OK, "after an error");
}

static void whole_states(const hal_flash *flash) {
    storage_info info;
    const char *layout = "0123456789abcdef";
    check(fw_storage_clear(flash) == STORAGE_OK, "clear");
    check(fw_storage_load(flash, layout, back, sizeof back, NULL, &info) == STORAGE_EMPTY, "empty");
    for (uint32_t n = 1; n <= 4; n++) {
        data[0] = (uint8_t)n;
        check(fw_storage_save(flash, layout, layout, data, sizeof data, NULL, n, &info) == STORAGE_OK,
              "save");
        memset(back, 0, sizeof back);
        check(fw_storage_load(flash, layout, back, sizeof back, NULL, &info) == STORAGE_OK, "load");
        check(memcmp(back, data, sizeof data) == 0 && info.steps == n, "what was saved");
        at_rest();
    }
#if defined MODEL_H7 || defined MODEL_L4
    /* A flash word of the newest state that cannot be read: the older state, and no fault. */
    model.break_word(flash->slots[info.slot] + 512);
    check(fw_storage_load(flash, layout, back, sizeof back, NULL, &info) == STORAGE_OK,
          "load beside a broken word");
    check(info.steps == 3 && info.fallback, "the older state");
    at_rest();
    model.break_word(flash->slots[0]);
    model.break_word(flash->slots[1] + 64);
    const storage_status status = fw_storage_load(flash, layout, back, sizeof back, NULL, &info);
    check(status == STORAGE_DAMAGED || status == STORAGE_EMPTY, "broken header and mark");
    check(fw_storage_save(flash, layout, layout, data, sizeof data, NULL, 9, &info) == STORAGE_OK,
          "save over it");
    check(fw_storage_load(flash, layout, back, sizeof back, NULL, &info) == STORAGE_OK && info.steps == 9,
          "load");
    at_rest();
#endif
}

/* Last: the controller is of no use afterwards. */
static void hanging(const hal_flash *flash) {
    const uint32_t before = milliseconds;
    model.hangs = true;
    check(flash->erase_sector(flash->slots[0]) == HAL_FLASH_FAILED, "an operation that does not end");
    check(milliseconds - before > LONGEST_MS, "it was not given the time it may take");
    check(flash->program(flash->slots[0], data, flash->unit) == HAL_FLASH_FAILED, "while it hangs");
}

int main() {
    for (uint32_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 13u + 5u);
    const hal_flash *flash = hal_flash_open();
    operations(flash);
    errors(flash);
    whole_states(flash);
    const uint32_t operations_done = model.operations;
    hanging(flash);
    printf("operations %u\n", (unsigned)operations_done);
    return 0;
}
