/* Measures what one core can do at most: multiply-adds of vectors held in registers, no memory. Prints giga-operations a second (two a multiply-add), the best of
 * many short runs: of f32 by the widest vectors that this machine has; or of the precision that is named (bf16, int8), by AMX tiles or the widest vectors, 0 where there is no
 * such instruction, but for bf16, which 16-bit integers stand for then (reduced.h). */
#include "../kernels/cpu/amx.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

enum { CHAINS = 12, STEPS = 100000, RUNS = 60 }; /* enough chains to hide an instruction's latency on all ports */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Twelve registers of their own, each the sum of one chain. Written in assembly, so that nothing but these instructions runs, whatever the compiler. */
#define EACH(op, r) \
    op " %%" r "14,%%" r "15,%%" r "0\n" op " %%" r "14,%%" r "15,%%" r "1\n" op " %%" r "14,%%" r "15,%%" r "2\n" op " %%" r "14,%%" r "15,%%" r "3\n" \
    op " %%" r "14,%%" r "15,%%" r "4\n" op " %%" r "14,%%" r "15,%%" r "5\n" op " %%" r "14,%%" r "15,%%" r "6\n" op " %%" r "14,%%" r "15,%%" r "7\n" \
    op " %%" r "14,%%" r "15,%%" r "8\n" op " %%" r "14,%%" r "15,%%" r "9\n" op " %%" r "14,%%" r "15,%%" r "10\n" op " %%" r "14,%%" r "15,%%" r "11\n"
#define CLOBBERED "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm14", "xmm15"
#define RUN(name, features, op, r, operations) \
    static __attribute__((target(features))) double name(void) \
    { \
        const double start = seconds(); \
        __asm__ volatile("vxorps %%xmm0,%%xmm0,%%xmm0\nvxorps %%xmm14,%%xmm14,%%xmm14\nvxorps %%xmm15,%%xmm15,%%xmm15\n" ::: CLOBBERED); \
        for (int step = 0; step < STEPS; step++) \
            __asm__ volatile(EACH(op, r) ::: CLOBBERED); \
        return 2.0 * operations * CHAINS * STEPS / (seconds() - start) / 1e9; \
    }
RUN(f32_512, "avx512f", "vfmadd231ps", "zmm", 16)
RUN(f32_256, "avx2,fma", "vfmadd231ps", "ymm", 8)
RUN(bf16_512, "avx512f", "vdpbf16ps", "zmm", 32)
RUN(int16_512, "avx512f", "vpdpwssd", "zmm", 32)
RUN(int8_512, "avx512f", "vpdpbusd", "zmm", 64)
RUN(int8_256, "avx2", "%{vex%} vpdpbusd", "ymm", 32)

/* Four tiles of sums, each of 16 x 16 chains, and zeros to multiply. */
#define TILES(name, op, operations) \
    static double name(void) \
    { \
        static const struct { uint8_t palette, rest[15]; uint16_t row_bytes[16]; uint8_t rows[16]; } full = {1, {0}, {64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16}}; \
        __asm__ volatile("ldtilecfg %0\ntilezero %%tmm4\ntilezero %%tmm5" ::"m"(full)); \
        const double start = seconds(); \
        for (int step = 0; step < STEPS / 10; step++) \
            __asm__ volatile(op " %tmm5,%tmm4,%tmm0\n" op " %tmm5,%tmm4,%tmm1\n" op " %tmm5,%tmm4,%tmm2\n" op " %tmm5,%tmm4,%tmm3"); \
        __asm__ volatile("tilerelease"); /* which waits for them */ \
        return 2.0 * 16 * 16 * operations * 4 * (STEPS / 10) / (seconds() - start) / 1e9; \
    }
TILES(bf16_tiles, "tdpbf16ps", 32)
TILES(int8_tiles, "tdpbusd", 64)

/* Bit `bit` of register eax of leaf 7, subleaf 1: 4 is AVX-VNNI, 5 is AVX-512 BF16. */
static int has(int bit)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> bit & 1);
}

int main(int argc, char **argv)
{
    const char *precision = argc > 1 ? argv[1] : "f32";
    const int wide = __builtin_cpu_supports("avx512f") != 0, vnni = __builtin_cpu_supports("avx512vnni") != 0, half = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    double (*run)(void) = NULL, best = 0;
    if (strcmp(precision, "f32") == 0)
        run = wide ? f32_512 : half ? f32_256 : NULL;
    else if (strcmp(precision, "bf16") == 0)
        run = amx_available() ? bf16_tiles : wide && has(5) ? bf16_512 : wide && vnni ? int16_512 : NULL;
    else if (strcmp(precision, "int8") == 0)
        run = amx_available() ? int8_tiles : wide && vnni ? int8_512 : half && has(4) ? int8_256 : NULL;
    for (int i = 0; run && i < RUNS; i++) {
        const double rate = run();
        best = rate > best ? rate : best;
    }
    return printf("%.1f\n", best) < 0;
}
#else
int main(void)
{
    fputs("kernels_peak: measures x86-64 only\n", stderr);
    return 1;
}
#endif
