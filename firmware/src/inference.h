/* Uploading inputs, running the network, reading outputs, measuring. */
#ifndef INFERENCE_H
#define INFERENCE_H

#include "protocol.h"
#include "tinyengine/te_model.h"
#include "transfer.h"

enum { TARGET_FRAME = 0, TARGET_ROWS = 1 }; /* what OPEN can name */
enum { OPEN_GRAY = 1 };                     /* flag: one byte per pixel stands for all its channels */
enum { RUN_BOXES = 1 };                     /* flag: the answer holds boxes instead of the outputs */
enum { OBJECT_METADATA = 0, OBJECT_OUTPUT = 1, OBJECT_BOXES = 2 }; /* what READ can name */

void fw_inference_init(const te_model *model);

/* Commands RUN, TRACE and PROFILE. */
status fw_inference_run(const uint8_t *request, uint32_t length, writer *answer);
status fw_inference_trace(const uint8_t *request, uint32_t length, writer *answer);
status fw_inference_profile(const uint8_t *request, uint32_t length, writer *answer);

status fw_inference_open_frame(uint8_t index, uint8_t flags, uint32_t length, transfer_shape *shape);
status fw_inference_take_frame(uint32_t offset, uint8_t *data, uint32_t length);
status fw_inference_open_rows(uint8_t index, uint8_t flags, uint32_t length, transfer_shape *shape);
status fw_inference_take_rows(uint32_t offset, uint8_t *data, uint32_t length);

/* A picture that the board takes by itself, in place of an upload. The first drops what was there and begins the rows of
 * the input; the second ends them and writes what RUN answers to these flags: `count` are the ticks so far, `since` is when
 * hal_millis began to count. */
void fw_inference_begin_rows(void);
void fw_inference_finish_rows(uint32_t flags, uint32_t count, uint32_t since, writer *answer);

/* Whether the flags of a run are known, and the network has what they ask for. */
bool fw_inference_can(uint32_t flags);

status fw_inference_rewind(const uint8_t *request, uint32_t length, writer *answer);
status fw_inference_output_size(uint8_t index, uint32_t *bytes);
void fw_inference_read_output(uint8_t index, uint32_t offset, uint8_t *data, uint32_t length);
status fw_inference_boxes_size(uint8_t index, uint32_t *bytes);
void fw_inference_read_boxes(uint8_t index, uint32_t offset, uint8_t *data, uint32_t length);

/* Whether the network can take whole frames, or rows. */
bool fw_inference_has_frame(void);
bool fw_inference_has_rows(void);

/* Takes the whole input for something else than RUN that starts from it; INCOMPLETE if it is not there.
 * `count` are the ticks that its rows have taken so far, if it came by rows. */
status fw_inference_take_input(uint32_t *count);

/* The arena is wanted for something else: inputs and outputs in it are lost. */
void fw_inference_drop(void);

uint32_t fw_inference_runs(void);
uint32_t fw_inference_last_count(void);

/* Paints the arena again (what it held is lost), and says how much of it has been written since. */
void fw_inference_paint_arena(void);
uint32_t fw_inference_arena_used(void);

#endif
