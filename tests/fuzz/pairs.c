/* INPUT, the pairs file, in all its forms. */
#include "../../tools/lib/pairs_input.h"
#include "memory_files.h"
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
    struct reason why;
    size_t seen = 0;
    memory_file_put("pairs", data, size);
    if (pairs_read("pairs", &(struct pair_fields){0}, visit, &seen, &why) < 0)
        REQUIRE(why.text[0]);
    return 0;
}
