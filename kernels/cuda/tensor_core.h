/* Tensor cores, as a warp sees them: a product of 16 x 8 x 16 elements, the loads that bring its operands from shared memory into place, and copies into
 * shared memory that go on beside the arithmetic. Each is one inline function with a plain twin, which the host's build runs (tests/shim) and which says what the instruction does.
 * The instructions are those of sm_80 and later; on older devices nothing here is launched (attention.cu). */
#ifndef REPRISE_CUDA_TENSOR_CORE_H
#define REPRISE_CUDA_TENSOR_CORE_H

#include "device.h"

#if defined(REPRISE_SHIM)
#define TENSOR_CORE_TWIN 1
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define TENSOR_CORE_NONE 1
#endif

/* Where a lane's elements of the operands of d [16, 8] += a [16, 16] b [16, 8] are, with g = lane / 4 and c = 2 * (lane % 4); a register holds two elements:
 *   a: a[0] row g, columns c, c + 1;  a[1] row g + 8;  a[2] row g, columns c + 8, c + 9;  a[3] row g + 8, columns c + 8, c + 9
 *   b: b[0] rows c, c + 1 of column g;  b[1] rows c + 8, c + 9
 *   d: d[0], d[1] row g, columns c, c + 1;  d[2], d[3] row g + 8 */
#if TENSOR_CORE_TWIN

template <typename T> inline float half_of(uint32_t pair, int which)
{
    const uint16_t bits = static_cast<uint16_t>(which ? pair >> 16 : pair & 0xffff);
    T element;
    memcpy(&element, &bits, sizeof bits);
    return to_float(element);
}

template <typename T> inline void multiply_add(float d[4], const uint32_t a[4], const uint32_t b[2])
{
    const uint32_t mine[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
    const uint32_t(*all)[6] = static_cast<const uint32_t(*)[6]>(shim_exchange(mine, sizeof mine)); /* [lanes] */
    const int lane = static_cast<int>(threadIdx.x) % WARP;
    for (int i = 0; i < 4; i++) {
        const int row = lane / 4 + i / 2 * 8, column = 2 * (lane % 4) + i % 2;
        for (int k = 0; k < 16; k++) {
            const uint32_t x = all[row % 8 * 4 + k % 8 / 2][row / 8 + k / 8 * 2], y = all[column * 4 + k % 8 / 2][4 + k / 8];
            d[i] += half_of<T>(x, k % 2) * half_of<T>(y, k % 2);
        }
    }
}

#else

template <typename T> __device__ void multiply_add(float d[4], const uint32_t a[4], const uint32_t b[2]);
#if TENSOR_CORE_NONE
template <typename T> __device__ inline void multiply_add(float *, const uint32_t *, const uint32_t *) { __trap(); }
#else
template <> __device__ inline void multiply_add<__half>(float d[4], const uint32_t a[4], const uint32_t b[2])
{
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
template <> __device__ inline void multiply_add<__nv_bfloat16>(float d[4], const uint32_t a[4], const uint32_t b[2])
{
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif
#endif

/* Four matrices of 8 x 8 elements from shared memory: lane l says where row l % 8 of matrix l / 8 begins (16 bytes, aligned). registers[i] holds of matrix i
 * the elements c and c + 1 of row g; transposed: rows c and c + 1 of column g. */
__device__ inline void load_matrices(uint32_t registers[4], const void *row)
{
#if TENSOR_CORE_TWIN
    const unsigned char *const *rows = static_cast<const unsigned char *const *>(shim_exchange(&row, sizeof row));
    const unsigned lane = threadIdx.x % WARP;
    for (unsigned i = 0; i < 4; i++)
        memcpy(&registers[i], rows[8 * i + lane / 4] + lane % 4 * 4, 4);
#elif TENSOR_CORE_NONE
    __trap();
#else
    const uint32_t at = static_cast<uint32_t>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
                 : "r"(at)
                 : "memory");
#endif
}

__device__ inline void load_matrices_transposed(uint32_t registers[4], const void *row)
{
#if TENSOR_CORE_TWIN
    const unsigned char *const *rows = static_cast<const unsigned char *const *>(shim_exchange(&row, sizeof row));
    const unsigned lane = threadIdx.x % WARP;
    for (unsigned i = 0; i < 4; i++)
        for (unsigned half = 0; half < 2; half++)
            memcpy(reinterpret_cast<unsigned char *>(&registers[i]) + 2 * half, rows[8 * i + lane % 4 * 2 + half] + lane / 4 * 2, 2);
#elif TENSOR_CORE_NONE
    __trap();
#else
    const uint32_t at = static_cast<uint32_t>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
                 : "r"(at)
                 : "memory");
#endif
}

/* ---- copies into shared memory ---- */

/* 16 bytes to shared memory, or zeros where there is nothing to copy; there once copies_arrived says so and the block has met at a barrier. */
__device__ inline void copy_begin(void *to, const void *from, bool is_there)
{
#if TENSOR_CORE_TWIN
    if (is_there)
        memcpy(to, from, 16);
    else
        memset(to, 0, 16);
#elif TENSOR_CORE_NONE
    __trap();
#else
    const uint32_t at = static_cast<uint32_t>(__cvta_generic_to_shared(to));
    const int bytes = is_there ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" : : "r"(at), "l"(from), "r"(bytes) : "memory");
#endif
}

/* Ends a group of copies. */
__device__ inline void copies_end()
{
#if !TENSOR_CORE_TWIN && !TENSOR_CORE_NONE
    asm volatile("cp.async.commit_group;" : : : "memory");
#endif
}

/* Waits until this thread's copies have arrived, but for those of the last `pending` groups. */
template <int PENDING> __device__ inline void copies_arrived()
{
#if !TENSOR_CORE_TWIN && !TENSOR_CORE_NONE
    asm volatile("cp.async.wait_group %0;" : : "n"(PENDING) : "memory");
#endif
}

/* 2^x for x <= 0, to the precision of 16-bit elements. */
__device__ inline float fast_power_of_two(float x)
{
#if TENSOR_CORE_TWIN
    return exp2f(x);
#else
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#endif
}

#endif
