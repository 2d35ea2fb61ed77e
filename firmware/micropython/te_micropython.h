/* What te_micropython.c has to be told of a network; te_networks.h, which the compiler writes, lists them. */
#ifndef TE_MICROPYTHON_H
#define TE_MICROPYTHON_H

#include "tinyengine/te_image.h"

typedef struct te_python_network {
    const char *name;
    const te_model *model;
    const char *labels; /* of the classes, one behind another, each ended by a zero */
    uint16_t n_labels;
    const te_image_input *image; /* NULL: how pictures become the input is not known */
    /* Of a network whose constants are a file: takes its first byte, aligned to 4; NULL: they are linked. */
    void (*bind)(const void *weights);
    uint32_t weight_bytes; /* of that file, which begins with the network's hash */
} te_python_network;

#endif
