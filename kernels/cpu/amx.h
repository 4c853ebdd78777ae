/* AMX: eight tiles of 16 rows of 64 bytes each, and products of them (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18).
 * A product takes a [16 rows, 64 bytes] and b [16 groups of 4 bytes, 16 columns], and adds to 16 x 16 sums of 32 bits; it takes 16 cycles, a tile's load 8. */
#ifndef REPRISE_AMX_H
#define REPRISE_AMX_H

/* Are there tiles with products of int8 and bf16, and lets the system this process use them? It is asked once, which is what gives the right to use them. */
int amx_available(void);

#if defined(__AMX_TILE__) || defined(__AMXTILE__) /* GCC's name for it, clang's */
#include <immintrin.h>
#include <stdint.h>

enum { TILE_ROWS = 16, TILE_ROW_BYTES = 64, TILE_BYTES = TILE_ROWS * TILE_ROW_BYTES };

/* All eight tiles in their full size: before the first use of a tile, by the thread that uses it. */
static inline void tiles_begin(void)
{
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } full = {.palette = 1, .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};
    _tile_loadconfig(&full);
}

/* After the last: the system need not save them any more. */
static inline void tiles_end(void)
{
    _tile_release();
}
#endif
#endif
