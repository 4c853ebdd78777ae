/* INPUT, the pairs file, in all its forms. */
#include <sys/mman.h>
#include <unistd.h>

#include "../../tools/lib/pairs_input.h"
#include "target.h"

static int visit(void *context, const struct pair *pair, struct reason *why)
{
    (void)why;
    size_t *seen = context;
    REQUIRE(pair->index == (*seen)++);
    REQUIRE(pair->midi && strlen(pair->midi) <= pair->midi_length && (pair->text || pair->text_file));
    REQUIRE(pair->carried_length >= 2 && pair->carried[0] == '{' && pair->carried[pair->carried_length - 1] == '}');
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int file = -1;
    char path[64];
    struct reason why;
    size_t seen = 0;
    if (file < 0)
        file = memfd_create("pairs", 0);
    REQUIRE(file >= 0 && ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (pairs_read(path, &(struct pair_fields){0}, visit, &seen, &why) < 0)
        REQUIRE(why.text[0]);
    return 0;
}
