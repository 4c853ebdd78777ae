/* The packing plan: texts one behind the other, without padding, and cut into the tiles that attention's blocks take. Written by the host as one image, in
 * the layout in which it is copied to the device.
 *
 * Launches are as large as the batch's class: sizes are rounded up to 2^k or 3 * 2^k, so that there are few different ones and a graph of a forward
 * pass can be used again. The image's layout depends on the class alone. */
#ifndef REPRISE_CUDA_PACKING_H
#define REPRISE_CUDA_PACKING_H

#include <stddef.h>
#include <stdint.h>

#include "../../tools/lib/message.h"
#include "kernels.h"

enum { CLASS_LEAST = 64, CLASS_FULL = 1 << 16 };

struct packing {
    int tokens, texts, tiles;
    int rows_class, tiles_class; /* of tokens, of tiles; there are no more texts than tiles */
};

/* The smallest class that holds `count`. */
int size_class(int count);

/* The largest class of at most `tokens`, and of at most CLASS_FULL: how many tokens a batch should have at most, as it takes the time of its whole class, and larger
 * ones take no less for each. Fewer than the least class stay as they are. */
size_t full_batch(size_t tokens);

/* Measures a batch: text i has offsets[i + 1] - offsets[i] tokens, from 1 to most_tokens. 0, or -1 with `why`. */
int packing_measure(struct packing *packing, const size_t *offsets, size_t texts, size_t most_tokens, struct reason *why) __attribute__((warn_unused_result));
size_t packing_bytes(const struct packing *packing);
/* The most bytes that any batch of so many tokens takes. */
size_t packing_bytes_at_most(int tokens);
/* Where the parts of an image at `image` are: on the host, or on the device. */
struct batch packing_parts(const struct packing *packing, const void *image);
/* Token ids, the rows of the table of positions that they get, and where each text begins and ends in both. */
struct packed_texts { const int32_t *ids, *positions; const size_t *offsets; };
struct table_sizes { size_t vocabulary, positions; };
/* Writes the image. Ids and positions are checked against the tables' sizes: 0, or -1 with `why`. */
int packing_write(const struct packing *packing, struct packed_texts texts, struct table_sizes sizes, void *image, struct reason *why)
    __attribute__((warn_unused_result));

#endif
