/* A preloaded library in which midi2tok and text2emb die of certain items, as they would of a fault in the code that reads them: when an item's bytes are
 * hashed (XXH3_128bits of libxxhash, the first thing done with them) and hold a marker. plan hashes them too, and is left alone.
 *   DIE-SEGV  an invalid memory access    DIE-LOOP  an endless loop    DIE-EAT  memory without end    DIE-ONCE  SIGKILL, but only the first time (FILE in DIE_ONCE) */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

static int holds(const void *bytes, size_t count, const char *marker)
{
    return memmem(bytes, count, marker, strlen(marker)) != NULL;
}

static void misbehave(const void *bytes, size_t count)
{
    if (holds(bytes, count, "DIE-SEGV"))
        raise(SIGSEGV);
    for (volatile int forever = 1; forever && holds(bytes, count, "DIE-LOOP");)
        ;
    while (holds(bytes, count, "DIE-EAT")) {
        char *more = malloc(1 << 20);
        if (!more)
            abort();
        memset(more, 1, 1 << 20);
    }
    const char *once = getenv("DIE_ONCE");
    if (once && holds(bytes, count, "DIE-ONCE") && open(once, O_CREAT | O_EXCL | O_WRONLY, 0600) >= 0)
        raise(SIGKILL);
}

XXH128_hash_t XXH3_128bits(const void *bytes, size_t count)
{
    static XXH128_hash_t (*real)(const void *, size_t);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "XXH3_128bits");
    if (strcmp(program_invocation_short_name, "midi2tok") == 0 || strcmp(program_invocation_short_name, "text2emb") == 0)
        misbehave(bytes, count);
    return real(bytes, count);
}
