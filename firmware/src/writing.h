/* A language model writes: prompts in, text out. */
#ifndef WRITING_H
#define WRITING_H

#include "protocol.h"
#include "tinyengine/te_model.h"

void fw_writing_init(const te_model *model);

/* Whether the network is a language model. */
bool fw_writing_supported(void);

/* What has been read so far is forgotten: a prompt must come first. */
void fw_writing_drop(void);

/* Commands PROMPT and WRITE. */
status fw_writing_prompt(const uint8_t *request, uint32_t length, writer *answer);
status fw_writing_write(const uint8_t *request, uint32_t length, writer *answer);

/* The link's tap: a line that somebody types between frames is a prompt. */
void fw_writing_take(uint8_t byte);

#endif
