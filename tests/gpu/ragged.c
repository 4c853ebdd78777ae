#include "ragged.h"

#include <stdio.h>
#include <stdlib.h>

struct ragged ragged_make(const int *lengths, int texts)
{
    struct ragged ragged;
    struct reason why;
    size_t *offsets = calloc((size_t)texts + 1, sizeof *offsets);
    if (!offsets)
        out_of_memory();
    for (int i = 0; i < texts; i++)
        offsets[i + 1] = offsets[i] + (size_t)lengths[i];
    int32_t *ids = malloc(offsets[texts] * sizeof *ids), *positions = malloc(offsets[texts] * sizeof *positions);
    if (!ids || !positions)
        out_of_memory();
    for (int i = 0; i < texts; i++)
        for (size_t at = offsets[i]; at < offsets[i + 1]; at++) {
            ids[at] = pick(0, RAGGED_VOCABULARY - 1);
            positions[at] = (int32_t)(at - offsets[i]) + 2; /* as behind a padding token */
        }
    if (packing_measure(&ragged.packing, offsets, (size_t)texts, RAGGED_POSITIONS - 2, &why) < 0 || !(ragged.host_image = malloc(packing_bytes(&ragged.packing))) ||
        packing_write(&ragged.packing, (struct packed_texts){ids, positions, offsets}, (struct table_sizes){RAGGED_VOCABULARY, RAGGED_POSITIONS}, ragged.host_image,
                      &why) < 0) {
        fprintf(stderr, "packing: %s\n", why.text);
        exit(2);
    }
    ragged.device_image = device_copy(ragged.host_image, packing_bytes(&ragged.packing));
    ragged.host = packing_parts(&ragged.packing, ragged.host_image);
    ragged.device = packing_parts(&ragged.packing, ragged.device_image);
    ragged.launch = (struct launch){ragged.packing.rows_class, ragged.packing.tiles_class, ragged.packing.tiles_class, test_stream()};
    free(ids);
    free(positions);
    free(offsets);
    return ragged;
}

void ragged_free(struct ragged *ragged)
{
    free(ragged->host_image);
    device_free(ragged->device_image);
}

int ragged_lengths(int which, int most, int lengths[RAGGED_TEXTS])
{
    static const int edges[][8] = {{1}, {512}, {64}, {65}, {1, 1, 1}, {63, 1, 64, 65, 2}, {7, 33, 129}, {16, 17, 15, 31, 32, 48}, {130, 3}};
    if (which < (int)(sizeof edges / sizeof *edges)) {
        int texts = 0;
        while (texts < 8 && edges[which][texts])
            lengths[texts] = edges[which][texts], texts++;
        return texts;
    }
    int texts = 0;
    for (int used = 0, longest = which % 3 ? 100 : 512; texts < RAGGED_TEXTS; texts++) {
        lengths[texts] = pick(1, longest);
        if ((used += lengths[texts]) > most && texts > 0)
            break;
    }
    return texts;
}
