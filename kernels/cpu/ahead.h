/* Weights that the products after this one will read are fetched into the second-level cache meanwhile. For a file that has included vectors.h. */

#ifdef PAIRED
#define AT_A_TIME 3 /* steps that a product's loop takes at a time */
#else
#define AT_A_TIME 4
#endif

/* Two lines are fetched every AT_A_TIME steps, `step` bytes apart. */
struct ahead { const char *at; size_t step; };

INLINE void fetch_ahead(struct ahead *ahead)
{
    __builtin_prefetch(ahead->at, 0, 2);
    __builtin_prefetch(ahead->at + ahead->step, 0, 2);
    ahead->at += 2 * ahead->step;
}

/* The step by which a product of `steps` fetches `share` bytes. Rounded up: where it was rounded down, and 6 % of the weights had to be waited for, Zen 4 lost 6 % of its speed. */
INLINE size_t ahead_step(size_t share, size_t steps)
{
    return steps < AT_A_TIME ? 0 : share / (2 * (steps / AT_A_TIME)) + 1;
}
