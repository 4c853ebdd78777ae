/* A grid on the host: blocks one after the other, the threads of a block as fibers that change at barriers and warp exchanges. A fiber lives from block to block. They
 * change by longjmp, which asks nothing of the system; AddressSanitizer wants to be told, and knows swapcontext better. */
#undef _FORTIFY_SOURCE /* its longjmp takes another stack for a mistake */
#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <memory>
#include <numeric>
#include <random>
#include <ucontext.h>
#include <vector>

#include "cuda_runtime.h"

#if defined(__SANITIZE_ADDRESS__)
#define SHIM_ASAN 1
#elif defined(__has_feature) /* clang */
#if __has_feature(address_sanitizer)
#define SHIM_ASAN 1
#endif
#endif

#if SHIM_ASAN
#include <sanitizer/common_interface_defs.h>
#define STACK (256 * 1024)
#else
#define STACK (64 * 1024)
#endif

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace {

enum state { READY, AT_BARRIER, IN_EXCHANGE, DONE };

const unsigned warp_size = 32;

struct fiber {
    ucontext_t context;
    jmp_buf place; /* where it goes on */
    bool begun;
    std::unique_ptr<unsigned char[]> stack;
    enum state state;
    unsigned index, exchanges;
};

/* Two places in turn: a lane may still read the last exchange while another one gives to the next. */
struct warp { alignas(16) unsigned char given[2][warp_size * 32]; };

struct block_state {
    std::vector<std::unique_ptr<fiber>> fibers;
    std::vector<warp> warps;
    std::vector<unsigned> order;
    unsigned count;
    unsigned char *shared;
    const std::function<void()> *thread;
    ucontext_t scheduler;
    jmp_buf scheduler_place;
    fiber *running;
    void *scheduler_fake_stack;
    const void *scheduler_bottom;
    size_t scheduler_size;
} block;

[[noreturn]] void give_up(const char *what)
{
    fprintf(stderr, "shim: block %u,%u,%u, thread %u: %s\n", blockIdx.x, blockIdx.y, blockIdx.z, block.running ? block.running->index : 0, what);
    abort();
}

/* ---- changing between fibers ---- */

void to_scheduler()
{
    fiber *self = block.running;
#if SHIM_ASAN
    void *fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, block.scheduler_bottom, block.scheduler_size);
    swapcontext(&self->context, &block.scheduler);
    __sanitizer_finish_switch_fiber(fake, &block.scheduler_bottom, &block.scheduler_size);
#else
    if (_setjmp(self->place) == 0)
        longjmp(block.scheduler_place, 1);
#endif
}

void to_fiber(fiber *next)
{
    block.running = next;
    threadIdx = {next->index, 0, 0};
#if SHIM_ASAN
    __sanitizer_start_switch_fiber(&block.scheduler_fake_stack, next->stack.get(), STACK);
    swapcontext(&block.scheduler, &next->context);
    __sanitizer_finish_switch_fiber(block.scheduler_fake_stack, nullptr, nullptr);
#else
    if (_setjmp(block.scheduler_place) == 0) {
        if (next->begun)
            longjmp(next->place, 1);
        next->begun = true;
        setcontext(&next->context);
    }
#endif
}

void fiber_main()
{
#if SHIM_ASAN
    __sanitizer_finish_switch_fiber(nullptr, &block.scheduler_bottom, &block.scheduler_size);
#endif
    for (;;) { /* once a block */
        (*block.thread)();
        block.running->state = DONE;
        to_scheduler();
    }
}

void start(std::unique_ptr<fiber> &place, unsigned index)
{
    const bool is_new = !place;
    if (is_new)
        place.reset(new struct fiber());
    fiber *fiber = place.get();
    fiber->index = index;
    fiber->state = READY;
    fiber->exchanges = 0;
    if (!is_new)
        return;
    fiber->stack.reset(new unsigned char[STACK]);
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack.get();
    fiber->context.uc_stack.ss_size = STACK;
    fiber->context.uc_link = nullptr;
    makecontext(&fiber->context, fiber_main, 0);
}

/* ---- who may go on ---- */

unsigned release(unsigned first, unsigned end, enum state waiting, bool all_must_live)
{
    unsigned there = 0, gone = 0;
    for (unsigned i = first; i < end; i++) {
        there += block.fibers[i]->state == waiting;
        gone += block.fibers[i]->state == DONE;
    }
    if (there == 0 || there + (all_must_live ? 0 : gone) < end - first)
        return 0;
    for (unsigned i = first; i < end; i++)
        if (block.fibers[i]->state == waiting)
            block.fibers[i]->state = READY;
    return there;
}

void run_block()
{
    for (unsigned i = 0; i < block.count; i++)
        start(block.fibers[i], i);
    for (;;) {
        for (unsigned i : block.order)
            if (block.fibers[i]->state == READY)
                to_fiber(block.fibers[i].get());
        unsigned released = 0;
        for (unsigned first = 0; first < block.count; first += warp_size)
            released += release(first, std::min(first + warp_size, block.count), IN_EXCHANGE, true);
        if (released == 0)
            released = release(0, block.count, AT_BARRIER, false);
        if (released > 0)
            continue;
        for (unsigned i = 0; i < block.count; i++)
            if (block.fibers[i]->state != DONE) {
                block.running = block.fibers[i].get();
                give_up(block.fibers[i]->state == IN_EXCHANGE ? "exchanges within a warp that is not whole" : "waits at a barrier that others never reach");
            }
        return;
    }
}

void set_order()
{
    const char *text = getenv("SHIM_ORDER");
    const int wanted = text ? atoi(text) : 0;
    block.order.resize(block.count);
    std::iota(block.order.begin(), block.order.end(), 0u);
    if (wanted == 1)
        std::reverse(block.order.begin(), block.order.end());
    else if (wanted)
        std::shuffle(block.order.begin(), block.order.end(), std::mt19937(static_cast<unsigned>(wanted)));
}

} // namespace

unsigned char *shim_shared_memory()
{
    return block.shared;
}

void shim_barrier()
{
    block.running->state = AT_BARRIER;
    to_scheduler();
}

const void *shim_exchange(const void *mine, size_t bytes)
{
    fiber *self = block.running;
    if (bytes > 32 || block.count % warp_size)
        give_up("an exchange that the shim does not know");
    unsigned char *given = block.warps[self->index / warp_size].given[self->exchanges++ % 2];
    memcpy(given + self->index % warp_size * bytes, mine, bytes);
    self->state = IN_EXCHANGE;
    to_scheduler();
    return given;
}

void shim_run_grid(dim3 grid, dim3 threads, size_t shared, const std::function<void()> &thread)
{
    gridDim = grid;
    blockDim = threads;
    block.count = threads.x;
    if (block.fibers.size() < block.count)
        block.fibers.resize(block.count);
    block.warps.resize((block.count + warp_size - 1) / warp_size);
    block.thread = &thread;
    set_order();
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x; x++) {
                blockIdx = {x, y, z};
                /* Of exactly this size, and full of what no kernel expects. */
                block.shared = shared ? static_cast<unsigned char *>(aligned_alloc(16, (shared + 15) / 16 * 16)) : nullptr;
                if (shared && !block.shared)
                    give_up("out of memory");
                if (shared)
                    memset(block.shared, 0xff, shared);
                run_block();
                free(block.shared);
            }
}
