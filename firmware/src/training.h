/* Training steps, the trained state on its way to and from the host, and its place in flash.
 *
 * The state (te_train.h) is always one of three: the factory's, one that was trained, restored or pushed, or
 * incomplete, while a push that goes right into it has not ended well. Nothing runs on an incomplete one. A
 * push goes into the arena first where that is large enough, and then the old state lasts until the new one
 * has been checked. The names of the classes belong to the state: a state that replaces it from here or from
 * the host begins without, a saved one has its own.
 */
#ifndef TRAINING_H
#define TRAINING_H

#include "flash.h"
#include "protocol.h"
#include "tinyengine/te_model.h"
#include "transfer.h"

enum { TARGET_STATE = 16, OBJECT_STATE = 16 }; /* for OPEN and READ */

/* Takes the saved state if there is one with this network's layout, else the factory's. `flash` may be NULL.
 * After fw_inference_init. */
void fw_training_init(const te_model *model, const hal_flash *flash);

/* Whether the network can be trained. */
bool fw_training_supported(void);

/* False: the network's trained constants are incomplete, it must not run. */
bool fw_training_complete(void);

/* Commands. */
status fw_training_info(const uint8_t *request, uint32_t length, writer *answer);
status fw_training_step(const uint8_t *request, uint32_t length, writer *answer);
status fw_training_evaluate(const uint8_t *request, uint32_t length, writer *answer);
status fw_training_text(const uint8_t *request, uint32_t length, writer *answer);
status fw_training_judge_text(const uint8_t *request, uint32_t length, writer *answer);
status fw_training_reset(const uint8_t *request, uint32_t length, writer *answer);
status fw_training_names(const uint8_t *request, uint32_t length, writer *answer);
status fw_training_name(const uint8_t *request, uint32_t length, writer *answer);
status fw_training_accept(const uint8_t *request, uint32_t length, writer *answer);
status fw_training_save(const uint8_t *request, uint32_t length, writer *answer);
status fw_training_restore(const uint8_t *request, uint32_t length, writer *answer);
status fw_training_forget(const uint8_t *request, uint32_t length, writer *answer);

/* Transfers of the state. */
status fw_training_open_state(uint8_t index, uint8_t flags, uint32_t length, transfer_shape *shape);
status fw_training_take_state(uint32_t offset, uint8_t *data, uint32_t length);
status fw_training_state_size(uint8_t index, uint32_t *bytes);
void fw_training_read_state(uint8_t index, uint32_t offset, uint8_t *data, uint32_t length);

#endif
