/* Measures what one core can do at most: multiply-adds of f32 vectors held in registers, no memory. Prints GFLOP/s (two operations an FMA), the best of 20
 * short runs, for the widest vectors that this machine has. */
#include <stdio.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>

enum { CHAINS = 12, STEPS = 1000000 }; /* enough chains to hide an FMA's latency on both ports */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

#define RUN(vector, set1, fmadd, lanes) \
    vector chain[CHAINS], factor = set1(0.999f), addend = set1(1e-3f); \
    for (int i = 0; i < CHAINS; i++) \
        chain[i] = set1((float)i + 2); \
    for (int i = 0; i < CHAINS; i++) /* values that no compiler may know, or it leaves out a chain whose value never changes */ \
        __asm__ volatile("" : "+v"(chain[i])); \
    double start = seconds(); \
    for (int step = 0; step < STEPS; step++) { \
        _Pragma("GCC unroll 16") for (int i = 0; i < CHAINS; i++) chain[i] = fmadd(chain[i], factor, addend); \
    } \
    double taken = seconds() - start; \
    for (int i = 0; i < CHAINS; i++) \
        __asm__ volatile("" : : "v"(chain[i])); \
    return 2.0 * lanes * CHAINS * STEPS / taken / 1e9;

static __attribute__((target("avx512f"))) double run_512(void)
{
    RUN(__m512, _mm512_set1_ps, _mm512_fmadd_ps, 16)
}

static __attribute__((target("avx2,fma"))) double run_256(void)
{
    RUN(__m256, _mm256_set1_ps, _mm256_fmadd_ps, 8)
}

int main(void)
{
    double best = 0;
    if (!__builtin_cpu_supports("fma")) {
        fputs("fma_peak: this machine has no FMA\n", stderr);
        return 1;
    }
    for (int i = 0; i < 20; i++) {
        double rate = __builtin_cpu_supports("avx512f") ? run_512() : run_256();
        best = rate > best ? rate : best;
    }
    return printf("%.1f\n", best) < 0;
}
#else
int main(void)
{
    fputs("fma_peak: measures x86-64 only\n", stderr);
    return 1;
}
#endif
