/* Token ids, end to end; of tokenizations with several vocabularies row by row. */
#ifndef REPRISE_TOKEN_LIST_H
#define REPRISE_TOKEN_LIST_H

#include <stddef.h>
#include <stdint.h>

/* In a row: the token has nothing in this column. MuMIDI's bars, positions and programs have no velocity and no duration: MidiTok's rows are shorter there. */
#define TOKEN_NONE (-1)

struct token_list {
    int32_t *ids;
    size_t count, capacity;
    int want_times;          /* times are kept too: */
    int32_t *times;          /* [count]: when the token's event is, in ticks of the grid */
    size_t time_capacity;
};

#endif
