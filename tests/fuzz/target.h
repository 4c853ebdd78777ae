/* What the fuzz targets share. A target is one function; what must hold it says with REQUIRE. */
#ifndef REPRISE_FUZZ_TARGET_H
#define REPRISE_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/lib/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Of targets whose input is MIDI: bytes at its end that are no part of the file, but say what to do with it. */
extern const size_t fuzz_trailer_size;

#define REQUIRE(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

/* A copy of exactly that size, so that a sanitizer sees any step beyond it. */
static inline uint8_t *fuzz_copy(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    REQUIRE(copy);
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

/* Chooses one input in `among`, always the same ones: for checks that take longer than all the rest, which every input's mutations reach all the same. */
static inline int fuzz_now_and_then(const uint8_t *data, size_t size, unsigned among)
{
    return hash_bytes(data, size).low % among == 0;
}

#endif
