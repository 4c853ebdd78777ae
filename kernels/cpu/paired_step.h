/* The step of products by pairs (paired_product.h; register_tile.h in integers) for one row of a tile of two vectors: three numbers at `x`, of 4 bytes each, times rows `first`,
 * `second` and `single` of a panel. All are vectors of 64 bytes; `add` and `multiply_add` are the instructions for the numbers that they hold.
 *
 * In one piece, because these are all the registers that there are beside those of a tile of eleven rows and of the panel: the compiler, left to itself, spreads it, and keeps
 * some of the tile in memory. Numbers go to every lane as integers, for what broadcast (product.h) says. */
#define PAIRED_STEP(add, multiply_add, sum, x, first, second, single) \
    do { \
        const struct { int32_t number[3]; } __attribute__((packed, may_alias)) *const numbers_ = (const void *)(x); \
        integers a_, b_, c_, d_; \
        __asm__("vpbroadcastd %[x0], %[a]\n\t" \
                "vpbroadcastd %[x1], %[b]\n\t" \
                add " %[second0], %[a], %[c]\n\t" \
                add " %[first0], %[b], %[d]\n\t" \
                multiply_add " %[d], %[c], %[sum0]\n\t" \
                add " %[second1], %[a], %[a]\n\t" \
                add " %[first1], %[b], %[b]\n\t" \
                "vpbroadcastd %[x2], %[c]\n\t" \
                multiply_add " %[b], %[a], %[sum1]\n\t" \
                multiply_add " %[single0], %[c], %[sum0]\n\t" \
                multiply_add " %[single1], %[c], %[sum1]" \
                : [sum0] "+v"((sum)[0]), [sum1] "+v"((sum)[1]), [a] "=&v"(a_), [b] "=&v"(b_), [c] "=&v"(c_), [d] "=&v"(d_) \
                : [x0] "m"(numbers_->number[0]), [x1] "m"(numbers_->number[1]), [x2] "m"(numbers_->number[2]), [first0] "v"((first)[0]), [first1] "v"((first)[1]), \
                  [second0] "v"((second)[0]), [second1] "v"((second)[1]), [single0] "v"((single)[0]), [single1] "v"((single)[1])); \
    } while (0)
