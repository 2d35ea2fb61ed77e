/* Runs networks inside a simulator: jobs from the file job.bin, results into result.bin (both little-endian).
 *
 * job.bin: magic, jobs; per job: model, flags, paint, label, classes, learning rate (IEEE single), seed,
 * step, momentum (IEEE single), batch, sample (16 bits each), input bytes, then the inputs one after another.
 * A run continues with the states that the job before it left, and a training step with its trained state,
 * unless the job is flagged to begin anew; inferences always begin with the factory's trained state.
 *
 * result.bin: magic, models; the costs of measuring (3 times 64 bits: an empty run, the first and the next
 * hooks of an empty profile); per job: ticks (64 bits), arena used, guards intact, stack used, layers, then
 * per layer its ticks since the previous one (64 bits), MACs, operator and name (each a length and its
 * characters); output bytes and the outputs; of a training step loss (IEEE single), predicted class, state
 * bytes and the state.
 *
 * Fields without a width have 32 bits. host/tinyengine/measure/target_runner.py is the other end.
 */
#include "measure.h"
#include "semihosting.h"

#define MAGIC_JOB 0x4A425454u    /* "TTBJ" */
#define MAGIC_RESULT 0x52425454u /* "TTBR" */
#define FLAG_PROFILE 1u
#define FLAG_STEP 2u    /* a training step instead of an inference */
#define FLAG_RESET 4u   /* from initial states, and from the factory state */
#define PROGRESS "\006" /* on the console after each job */

enum { STATUS_DONE = 0, STATUS_NO_FILE = 64, STATUS_BAD_JOB, STATUS_WRITE_FAILED, STATUS_MISPLACED_ARENA };

extern const te_model *const bench_models[]; /* written by the host */
extern const uint32_t bench_model_count;
extern uint8_t __arena_begin[], __arena_end[];

typedef struct job {
    uint32_t model, flags, paint, label, classes;
    te_train_update update;
    uint32_t input_bytes;
} job;

#define PUSHED_BYTES (512u * 1024u) /* largest input that a network may want by rows */

#define MOST_TOKENS 512u

static measure_times times;
static struct {
    const te_model *model;
    uint8_t frame[PUSHED_BYTES]; /* stands for whoever delivers the rows */
} pushed;
static struct {
    const te_model *model;
    te_train_sample sample;
    te_train_update update;
    te_train_result result;
    uint16_t tokens[MOST_TOKENS]; /* of a language model: the text of a step, in place of an input */
} training;
static int32_t results;

static void check(bool condition, uint32_t status, const char *what) {
    if (condition) return;
    bench_host_print(what);
    bench_host_print("\n");
    bench_host_exit(status);
}

static void emit(const void *data, uint32_t bytes) {
    check(bench_host_write(results, data, bytes), STATUS_WRITE_FAILED, "cannot write result.bin");
}

static void emit_u32(uint32_t value) {
    emit(&value, sizeof value);
}

static void emit_u64(uint64_t value) {
    emit(&value, sizeof value);
}

static void emit_text(const char *text) {
    uint32_t length = 0;
    while (text[length]) length++;
    emit_u32(length);
    emit(text, length);
}

static void emit_costs(void) {
    bench_measure_run(&times, bench_measure_nothing);
    emit_u64(bench_counter_ticks(times.before, times.after));
    bench_measure_profile(&times, bench_measure_nothing_profiled);
    emit_u64(bench_counter_ticks(times.before, times.layers[0]));
    emit_u64(bench_counter_ticks(times.layers[0], times.layers[1]));
}

static void emit_layers(const te_model *model) {
    emit_u32(times.n_layers);
    for (uint32_t i = 0; i < times.n_layers; i++) {
        emit_u64(bench_counter_ticks(i ? times.layers[i - 1] : times.before, times.layers[i]));
        emit_u32(model->layers ? model->layers[i].macs : 0);
        emit_text(model->layers ? model->layers[i].op : "");
        emit_text(model->layers ? model->layers[i].name : "");
    }
}

static void emit_outputs(const te_model *model) {
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < model->n_outputs; i++) bytes += model->outputs[i].bytes;
    emit_u32(bytes);
    for (uint32_t i = 0; i < model->n_outputs; i++) emit(model->outputs[i].data, model->outputs[i].bytes);
}

static void read_inputs(int32_t jobs, const te_model *model, uint32_t expected) {
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < model->n_inputs; i++) bytes += model->inputs[i].bytes;
    check(bytes == expected, STATUS_BAD_JOB, "a job's inputs have the wrong size");
    check(model->run || bytes <= PUSHED_BYTES, STATUS_BAD_JOB, "the input is too large to be pushed by rows");
    for (uint32_t i = 0; i < model->n_inputs; i++) {
        void *data = model->run ? model->inputs[i].data : pushed.frame;
        check(bench_host_read(jobs, data, model->inputs[i].bytes), STATUS_BAD_JOB, "job.bin ends early");
    }
}

static void push_frame(void) {
    pushed.model->begin();
    pushed.model->push_rows(pushed.frame, pushed.model->inputs[0].dims[0]);
}

static void run_pushed(void) {
    push_frame();
    pushed.model->finish();
}

static void run_pushed_profiled(te_layer_hook hook, void *context) {
    push_frame();
    pushed.model->run_profiled(hook, context);
}

static void run_step(void) {
    if (!training.model->run) push_frame();
    training.result = training.model->trainer->step(&training.sample, &training.update);
}

static void run_segment(void) {
    training.result =
        training.model->trainer->segment(training.tokens, training.sample.label, &training.update);
}

/* label: tokens that are to be foretold. */
static void prepare_segment(int32_t jobs, const te_model *model, const job *todo) {
    check(todo->label > 0 && todo->label <= model->trainer->segment_tokens && todo->label < MOST_TOKENS &&
              todo->input_bytes == 2 * (todo->label + 1),
          STATUS_BAD_JOB, "a segment does not fit the network");
    check(bench_host_read(jobs, training.tokens, todo->input_bytes), STATUS_BAD_JOB, "job.bin ends early");
    training.model = model;
    training.sample.label = (uint16_t)todo->label;
    training.update = todo->update;
}

static void prepare_step(const te_model *model, const job *todo) {
    check(model->trainer != 0 && todo->label < todo->classes && todo->classes <= model->trainer->classes,
          STATUS_BAD_JOB, "a training step does not fit the network");
    training.model = model;
    training.sample.label = (uint16_t)todo->label;
    training.sample.classes = (uint16_t)todo->classes;
    training.update = todo->update;
}

static void emit_step(const te_trainer *trainer) {
    emit(&training.result.loss, sizeof training.result.loss);
    emit_u32(training.result.predicted);
    emit_u32(trainer->state_bytes);
    emit(trainer->state, trainer->state_bytes);
}

static void run_job(int32_t jobs, const job *todo) {
    const te_model *model = bench_models[todo->model];
    const uint8_t paint = (uint8_t)todo->paint;
    check(model->arena >= __arena_begin && model->arena + model->arena_bytes <= __arena_end,
          STATUS_MISPLACED_ARENA, "an arena lies outside the section .arena");
    check(model->n_layers <= MEASURE_MAX_LAYERS, STATUS_BAD_JOB, "too many layers to profile");
    bench_measure_arena_paint(model, paint);
    const uint32_t step = todo->flags & FLAG_STEP,
                   segment = step && model->trainer && model->trainer->segment;
    if (segment)
        prepare_segment(jobs, model, todo);
    else
        read_inputs(jobs, model, todo->input_bytes);
    pushed.model = model;
    if (step && !segment) prepare_step(model, todo);
    if (model->trainer && (!step || todo->flags & FLAG_RESET)) model->trainer->reset();
    if (model->reset && todo->flags & FLAG_RESET) model->reset();
    if (step)
        bench_measure_run(&times, segment ? run_segment : run_step);
    else if (todo->flags & FLAG_PROFILE)
        bench_measure_profile(&times, model->run ? model->run_profiled : run_pushed_profiled);
    else
        bench_measure_run(&times, model->run ? model->run : run_pushed);
    const uint32_t stack = bench_measure_stack_used();
    emit_u64(bench_counter_ticks(times.before, times.after));
    emit_u32(bench_measure_arena_used(model, paint));
    emit_u32(bench_measure_guards_intact(model, paint));
    emit_u32(stack);
    emit_layers(model);
    emit_outputs(model);
    if (step) emit_step(model->trainer);
    bench_host_print(PROGRESS);
}

int main(void) {
    const int32_t jobs = bench_host_open_read("job.bin");
    check(jobs >= 0, STATUS_NO_FILE, "cannot open job.bin");
    results = bench_host_open_write("result.bin");
    check(results >= 0, STATUS_NO_FILE, "cannot create result.bin");
    uint32_t header[2];
    check(bench_host_read(jobs, header, sizeof header) && header[0] == MAGIC_JOB, STATUS_BAD_JOB,
          "job.bin is not a job file");
    bench_counter_start();
    emit_u32(MAGIC_RESULT);
    emit_u32(bench_model_count);
    emit_costs();
    for (uint32_t i = 0; i < header[1]; i++) {
        job todo;
        check(bench_host_read(jobs, &todo, sizeof todo) && todo.model < bench_model_count, STATUS_BAD_JOB,
              "job.bin is damaged");
        run_job(jobs, &todo);
    }
    bench_host_close(results);
    return STATUS_DONE;
}
