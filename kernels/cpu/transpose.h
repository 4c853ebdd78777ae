/* For a file that has included vectors.h. */
#include <immintrin.h>

/* Rows and columns of 16 x 16 groups change places. */
INLINE void transpose(__m512i rows[16])
{
    __m512i half[16];
    UNROLL for (size_t i = 0; i < 16; i += 2) {
        half[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        half[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    UNROLL for (size_t i = 0; i < 16; i += 4) { /* rows[i + q]: column 4 l + q of rows i .. i + 3, in 128-bit lane l */
        rows[i] = _mm512_unpacklo_epi64(half[i], half[i + 2]);
        rows[i + 1] = _mm512_unpackhi_epi64(half[i], half[i + 2]);
        rows[i + 2] = _mm512_unpacklo_epi64(half[i + 1], half[i + 3]);
        rows[i + 3] = _mm512_unpackhi_epi64(half[i + 1], half[i + 3]);
    }
    UNROLL for (size_t q = 0; q < 4; q++) {
        const __m512i low = _mm512_shuffle_i32x4(rows[q], rows[q + 4], 0x44), high = _mm512_shuffle_i32x4(rows[q], rows[q + 4], 0xee);
        const __m512i low2 = _mm512_shuffle_i32x4(rows[q + 8], rows[q + 12], 0x44), high2 = _mm512_shuffle_i32x4(rows[q + 8], rows[q + 12], 0xee);
        half[q] = _mm512_shuffle_i32x4(low, low2, 0x88);
        half[q + 4] = _mm512_shuffle_i32x4(low, low2, 0xdd);
        half[q + 8] = _mm512_shuffle_i32x4(high, high2, 0x88);
        half[q + 12] = _mm512_shuffle_i32x4(high, high2, 0xdd);
    }
    memcpy(rows, half, sizeof half);
}
