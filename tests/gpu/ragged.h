/* Random ragged batches for the tests, on the host and on the device. */
#ifndef TESTS_GPU_RAGGED_H
#define TESTS_GPU_RAGGED_H

#include "../../kernels/cuda/packing.h"
#include "device_memory.h"

enum { RAGGED_VOCABULARY = 97, RAGGED_POSITIONS = 640, RAGGED_TEXTS = 4096 };

struct ragged {
    struct packing packing;
    void *host_image, *device_image;
    struct batch host, device;
    struct launch launch; /* in the test's stream */
};

/* Texts of these lengths. */
struct ragged ragged_make(const int *lengths, int texts);
void ragged_free(struct ragged *ragged);
/* Writes lengths of the batch number `which` of a fixed series: single texts and small mixtures at the edges of tiles first, then random ones of at
 * most `most` tokens in all. Returns the number of texts. */
int ragged_lengths(int which, int most, int lengths[RAGGED_TEXTS]);

#endif
