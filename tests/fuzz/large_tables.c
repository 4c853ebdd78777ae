/* A text tokenizer begins with tables of zeros, 3.8 MB, of which it touches a page or two. The system gives those at once, but a sanitizer's allocator maps each anew, and writes and drops
 * all its shadow: most of a millisecond a tokenizer, ten times all the rest. Here they come from a few blocks that are kept, with poisoned pages around, and now and then
 * poisoned while nobody has them, so what a sanitizer sees of other memory it sees of these. Linked by wrapping calloc and free (fuzz.mk). */
#include <sanitizer/asan_interface.h>
#include <sys/mman.h>

#include "target.h"

#define LARGE ((size_t)256 << 10)
enum { BLOCKS = 8, PAGE = 4096 };

static struct { uint8_t *start; size_t bytes; int is_used, is_poisoned; } blocks[BLOCKS];

void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *at);
void *__real_calloc(size_t count, size_t size);
void __real_free(void *at);

static uint8_t *map_block(size_t bytes)
{
    size_t whole = (bytes + PAGE - 1) / PAGE * PAGE + 2 * PAGE;
    uint8_t *start = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(start != MAP_FAILED);
    ASAN_POISON_MEMORY_REGION(start, whole);
    return start + PAGE;
}

void *__wrap_calloc(size_t count, size_t size)
{
    size_t bytes;
    int is_large = !__builtin_mul_overflow(count, size, &bytes) && bytes >= LARGE && bytes < 8 * LARGE;
    for (int i = 0; is_large && i < BLOCKS; i++) {
        if (blocks[i].is_used || (blocks[i].start && blocks[i].bytes != bytes))
            continue;
        if (!blocks[i].start)
            blocks[i].start = map_block(bytes), blocks[i].bytes = bytes, blocks[i].is_poisoned = 1;
        if (blocks[i].is_poisoned)
            ASAN_UNPOISON_MEMORY_REGION(blocks[i].start, bytes);
        blocks[i].is_used = 1;
        blocks[i].is_poisoned = 0;
        return blocks[i].start;
    }
    return __real_calloc(count, size);
}

void __wrap_free(void *at)
{
    static unsigned frees;
    for (int i = 0; at && i < BLOCKS; i++)
        if (blocks[i].start == at) {
            REQUIRE(blocks[i].is_used); /* else it is freed twice */
            blocks[i].is_used = 0;
            blocks[i].is_poisoned = frees++ % 16 == 0;
            if (blocks[i].is_poisoned)
                ASAN_POISON_MEMORY_REGION(at, blocks[i].bytes);
            REQUIRE(madvise(at, blocks[i].bytes, MADV_DONTNEED) == 0);
            return;
        }
    __real_free(at);
}
