/* A camera at the parallel interface (DCMI) of an STM32F4 (RM0090 15), F7 (RM0385 17) or H7 (RM0433 32), whose lines go
 * to a ring of a few by DMA, a transfer for each.
 *
 * The stream has two targets and takes them by turns (RM0090 10.3.10): while it fills one, the other is aimed at the next
 * free line of the ring. Where there is none, the taker is too slow, and the capture ends before anything is overwritten.
 */
#include "../camera.h"
#include "../camera_sensors/sensor.h"
#include "../common/cortex_m.h"
#include "../common/i2c.h"
#include "../common/startup.h"
#include "../common/system.h"
#include "../hal.h"
#include "../stm32/gpio.h"

#include "board.h"

/* Camera interface, RM0090 15.8, RM0385 17.7, RM0433 32.7 */
#define DCMI_CR REG32(DCMI_BASE + 0x00u)
#define DCMI_IER REG32(DCMI_BASE + 0x0Cu)
#define DCMI_MIS REG32(DCMI_BASE + 0x10u)
#define DCMI_ICR REG32(DCMI_BASE + 0x14u)
#define DCMI_DR (DCMI_BASE + 0x28u)
#define CR_CAPTURE BIT(0)
#define CR_SNAPSHOT BIT(1) /* one picture, then CAPTURE is cleared */
#define CR_PCKPOL_RISING BIT(5)
#define CR_VSPOL_HIGH BIT(7) /* VSYNC is high while nothing is valid; HSYNC low, of 8 bits: zeros */
#define CR_ENABLE BIT(14)
#define CR_PICTURE (CR_SNAPSHOT | CR_PCKPOL_RISING | CR_VSPOL_HIGH)
#define INT_FRAME BIT(0)
#define INT_OVR BIT(1)
#define INT_ERR BIT(2)
#define INT_ALL 0x1Fu

/* Stream 1 of DMA2, RM0090 10.5, RM0385 8.5, RM0433 15.5 */
#define DMA_LISR REG32(DMA2_BASE + 0x00u)
#define DMA_LIFCR REG32(DMA2_BASE + 0x08u)
#define DMA_CR REG32(DMA2_BASE + 0x28u)
#define DMA_NDTR REG32(DMA2_BASE + 0x2Cu)
#define DMA_PAR REG32(DMA2_BASE + 0x30u)
#define DMA_MAR(target) REG32(DMA2_BASE + 0x34u + 4u * (target))
#define DMA_FCR REG32(DMA2_BASE + 0x3Cu)
#define FLAGS (BIT(6) | BIT(8) | BIT(9) | BIT(10) | BIT(11))
#define FLAG_TE BIT(9)
#define FLAG_TC BIT(11)
#define CR_EN BIT(0)
#define CR_TEIE BIT(2)
#define CR_TCIE BIT(4)
#define CR_CIRC BIT(8)
#define CR_MINC BIT(10)
#define CR_WORDS ((2u << 11) | (2u << 13))
#define CR_PRIORITY_HIGHEST (3u << 16)
#define CR_DBM BIT(18)
#define CR_CT BIT(19)
#define FCR_DMDIS BIT(2) /* through its buffer of four words, written when that is full */
#define FCR_FTH_FULL 3u

/* Timer 1 makes the sensor's clock, RM0090 17.4 */
#define TIM1_CR1 REG32(TIM1_BASE + 0x00u)
#define TIM1_EGR REG32(TIM1_BASE + 0x14u)
#define TIM1_CCMR1 REG32(TIM1_BASE + 0x18u)
#define TIM1_CCER REG32(TIM1_BASE + 0x20u)
#define TIM1_PSC REG32(TIM1_BASE + 0x28u)
#define TIM1_ARR REG32(TIM1_BASE + 0x2Cu)
#define TIM1_CCR1 REG32(TIM1_BASE + 0x34u)
#define TIM1_BDTR REG32(TIM1_BASE + 0x44u)
#define CCMR1_OC1_PWM1 (6u << 4)
#define BDTR_MOE BIT(15)

#define LINE_WORDS (HAL_SENSOR_WIDTH * HAL_SENSOR_PIXEL_BYTES / 4u)
#define LINES 8u /* of the ring: one is filled, one is the next, six may wait */
#define LONGEST_MS                                                                                           \
    1000u /* from here to a picture's begin, from a line to the next, from the last to the end */
#define LAST_WORDS_MS 2u /* on their way when the picture ends */
#define POWER_MS 5u      /* from power to the reset's end, and from there to the first register */
#define RESET_PULSE_MS 2u
#define AWAKE_MS 20u

_Static_assert(LINE_WORDS % 8u == 0, "a line is whole lines of the data cache");

static uint32_t ring[LINES][LINE_WORDS] __attribute__((aligned(32)));
static const hal_sensor *const known[] = {BOARD_CAMERA_SENSORS};
static const hal_sensor *sensor; /* NULL: not started */
static uint32_t pace;

/* Between the interrupts and hal_camera_capture. */
static volatile uint32_t filled, taken; /* lines since the picture began */
static volatile bool ended;
static volatile hal_camera_status failure;

static uint32_t address_of(const uint32_t *line) {
    return (uint32_t)(uintptr_t)line;
}

/* ---- Power, clock, pins ---- */

typedef struct pin {
    uint32_t port, number;
} pin;

static void take_pin(pin which, uint32_t function) {
    GPIO_ENABLE |= GPIO_CLOCK(which.port);
    (void)GPIO_ENABLE;
    gpio_alternate(which.port, which.number, function);
}

static void take_i2c_pin(pin which) {
    GPIO_ENABLE |= GPIO_CLOCK(which.port);
    (void)GPIO_ENABLE;
    gpio_open_drain(which.port, which.number);
    gpio_alternate(which.port, which.number, BOARD_CAMERA_I2C_FUNCTION);
}

static void take_pins(void) {
    static const pin parallel[] = {BOARD_CAMERA_PINS};
    for (uint32_t i = 0; i < sizeof parallel / sizeof parallel[0]; i++)
        take_pin(parallel[i], BOARD_CAMERA_FUNCTION);
    take_i2c_pin((pin){BOARD_CAMERA_SCL_PORT, BOARD_CAMERA_SCL_PIN});
    take_i2c_pin((pin){BOARD_CAMERA_SDA_PORT, BOARD_CAMERA_SDA_PIN});
}

static void clock_sensor(bool full_speed) {
#if BOARD_CAMERA_HAS_TIMER
    const uint32_t timer_hz = full_speed ? TIM1_CLOCK_HZ : hal_count_rate();
    const uint32_t period = (timer_hz + BOARD_CAMERA_CLOCK_HZ - 1u) / BOARD_CAMERA_CLOCK_HZ; /* not faster */
    TIM1_ENABLE |= BIT(TIM1_ENABLE_BIT);
    (void)TIM1_ENABLE; /* two bus cycles until the block listens */
    TIM1_CR1 = 0;
    TIM1_PSC = 0;
    TIM1_ARR = (period < 2u ? 2u : period) - 1u;
    TIM1_CCR1 = (TIM1_ARR + 1u) / 2u;
    TIM1_CCMR1 = CCMR1_OC1_PWM1;
    TIM1_CCER = 1u;
    TIM1_BDTR = BDTR_MOE;
    TIM1_EGR = 1u; /* takes the period over */
    TIM1_CR1 = 1u;
    take_pin((pin){BOARD_CAMERA_CLOCK_PORT, BOARD_CAMERA_CLOCK_PIN}, BOARD_CAMERA_CLOCK_FUNCTION);
#else
    (void)full_speed;
#endif
}

static void drive(uint32_t port, uint32_t number, uint32_t level) {
    GPIO_ENABLE |= GPIO_CLOCK(port);
    (void)GPIO_ENABLE;
    gpio_output(port, number, level);
}

static void wake_sensor(void) {
#if BOARD_CAMERA_HAS_RESET
    drive(BOARD_CAMERA_RESET_PORT, BOARD_CAMERA_RESET_PIN, BOARD_CAMERA_RESET_ACTIVE);
#endif
#if BOARD_CAMERA_HAS_POWER_DOWN
    drive(BOARD_CAMERA_POWER_DOWN_PORT, BOARD_CAMERA_POWER_DOWN_PIN, !BOARD_CAMERA_POWER_DOWN_ACTIVE);
#endif
    hal_sensor_wait_ms(POWER_MS);
#if BOARD_CAMERA_HAS_RESET
    hal_sensor_wait_ms(RESET_PULSE_MS);
    drive(BOARD_CAMERA_RESET_PORT, BOARD_CAMERA_RESET_PIN, !BOARD_CAMERA_RESET_ACTIVE);
#endif
    hal_sensor_wait_ms(AWAKE_MS);
}

/* ---- Interface and DMA ---- */

/* Off, with nothing pending. */
static void stop(void) {
    DCMI_IER = 0;
    DCMI_CR = 0;
    DMA_CR &= ~CR_EN;
    (void)hal_system_wait_for(&DMA_CR, CR_EN, 0u); /* a word on its way is finished first */
    DMA_LIFCR = FLAGS;
    DCMI_ICR = INT_ALL;
}

static void start(void) {
    stop(); /* the stream is set up while it is off (RM0090 10.3.17) */
    DMA_PAR = DCMI_DR;
    DMA_NDTR = LINE_WORDS;
    DMA_MAR(0) = address_of(ring[0]);
    DMA_MAR(1) = address_of(ring[1]);
    DMA_FCR = FCR_DMDIS | FCR_FTH_FULL;
    const uint32_t control =
        DCMI_DMA_REQUEST | CR_DBM | CR_PRIORITY_HIGHEST | CR_WORDS | CR_MINC | CR_CIRC | CR_TCIE | CR_TEIE;
    DMA_CR = control;
    DMA_CR = control | CR_EN;
    DCMI_CR = CR_PICTURE;
    DCMI_CR = CR_PICTURE | CR_ENABLE; /* set up before it is on, and on before it captures (RM0090 15.8.1) */
    DCMI_IER = INT_FRAME | INT_OVR | INT_ERR;
    DCMI_CR = CR_PICTURE | CR_ENABLE | CR_CAPTURE;
}

/* From an interrupt: nothing more is filled or taken. */
static void fail(hal_camera_status why) {
    if (failure == HAL_CAMERA_OK) failure = why;
    DCMI_CR = CR_PICTURE;
    DMA_CR &= ~CR_EN;
}

void hal_camera_interrupt_handler(void) {
    const uint32_t events = DCMI_MIS;
    DCMI_ICR = events;
    if (events & INT_FRAME) ended = true;
    if (events & INT_OVR) fail(HAL_CAMERA_OVERRUN);
    if (events & INT_ERR) fail(HAL_CAMERA_TORN);
}

/* A line is complete, or the stream has failed. */
void hal_camera_dma_interrupt_handler(void) {
    const uint32_t events = DMA_LISR & FLAGS;
    DMA_LIFCR = events;
    if (events & FLAG_TE) fail(HAL_CAMERA_BUS);
    if (!(events & FLAG_TC) || failure != HAL_CAMERA_OK) return;
    filled = filled + 1u;
    const uint32_t target = filled % 2u;        /* being filled now; the other one is free */
    if ((DMA_CR & CR_CT ? 1u : 0u) != target) { /* two lines are over: this came too late */
        fail(HAL_CAMERA_OVERRUN);
        return;
    }
    const uint32_t next = filled + 1u;
    if (next >= HAL_SENSOR_HEIGHT) return;
    if (next >= taken + LINES)
        fail(HAL_CAMERA_OVERRUN);
    else
        DMA_MAR(1u - target) = address_of(ring[next % LINES]);
}

/* ---- What camera.h asks for ---- */

const char *hal_camera_name(void) {
    return sensor ? sensor->name : known[0]->name;
}

hal_camera_status hal_camera_start(hal_camera_picture *picture) {
    const bool full_speed = hal_count_rate() == BOARD_CORE_HZ;
    sensor = NULL;
    pace = 0;
    DCMI_ENABLE |= BIT(DCMI_ENABLE_BIT);
    DMA2_ENABLE |= BIT(DMA2_ENABLE_BIT);
    BOARD_CAMERA_I2C(ENABLE) |= BIT(BOARD_CAMERA_I2C(ENABLE_BIT));
    (void)BOARD_CAMERA_I2C(ENABLE); /* two bus cycles until the blocks listen */
    stop();
    DCMI_ROUTE();
    take_pins();
    clock_sensor(full_speed);
    wake_sensor();
    hal_i2c_start(full_speed ? BOARD_CAMERA_I2C(CLOCK_HZ) : hal_count_rate());

    const hal_sensor *found = NULL;
    hal_camera_status status = hal_sensor_find(known, sizeof known / sizeof known[0], &found);
    if (status == HAL_CAMERA_OK) status = hal_sensor_set_up(found);
    if (status != HAL_CAMERA_OK) return status;
    nvic_enable(DCMI_IRQ);
    nvic_enable(DCMI_DMA_IRQ);
    hal_sensor_describe(picture);
    sensor = found;
    return HAL_CAMERA_OK;
}

/* Hands over the oldest line that is filled; false: there is none. */
static bool take_line(hal_camera_line take, void *context) {
    if (filled <= taken) return false;
    const uint32_t *line = ring[taken % LINES];
    hal_cache_forget(address_of(line), sizeof ring[0]);
    take(context, taken, (const uint8_t *)line);
    taken = taken + 1u;
    return true;
}

/* After the interface has said that the picture is over: every byte has come, and not one more. (Its interrupt at each
 * line tells nothing, as it is raised by lines that are not captured as well.) */
static bool is_whole(void) {
    const uint32_t start_ms = hal_millis();
    while (filled < HAL_SENSOR_HEIGHT && hal_millis() - start_ms <= LAST_WORDS_MS) hal_wait();
    return filled == HAL_SENSOR_HEIGHT && DMA_NDTR == LINE_WORDS;
}

static hal_camera_status receive(hal_camera_line take, void *context) {
    uint32_t since = hal_millis();
    for (bool checked = false;;) {
        if (failure != HAL_CAMERA_OK) return failure;
        if (ended && !checked) {
            if (!is_whole()) return failure != HAL_CAMERA_OK ? failure : HAL_CAMERA_TORN;
            checked = true;
        }
        if (take_line(take, context)) {
            since = hal_millis();
        } else if (checked) {
            return HAL_CAMERA_OK;
        } else {
            if (hal_millis() - since > LONGEST_MS) return HAL_CAMERA_NO_FRAME;
            hal_wait();
        }
    }
}

hal_camera_status hal_camera_capture(hal_camera_line take, void *context) {
    if (!sensor) return HAL_CAMERA_STOPPED;
    filled = 0;
    taken = 0;
    ended = false;
    failure = HAL_CAMERA_OK;
    hal_cache_forget(address_of(ring[0]),
                     sizeof ring); /* zeros of the start must not be written back over lines */
    start();
    hal_camera_status status = receive(take, context);
    stop();
    if (status != HAL_CAMERA_OVERRUN) return status;
    if (pace + 1u >= sensor->n_paces) return HAL_CAMERA_TOO_FAST;
    if (!hal_sensor_set_pace(sensor, ++pace)) {
        sensor = NULL;
        status = HAL_CAMERA_REFUSED;
    }
    return status;
}
