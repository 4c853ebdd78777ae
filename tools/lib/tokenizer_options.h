/* The options that choose a tokenizer, the same in all programs that take them: --tokenizer, --no-programs, --config, --set, --save-config. */
#ifndef REPRISE_TOKENIZER_OPTIONS_H
#define REPRISE_TOKENIZER_OPTIONS_H

#include "message.h"
#include "tokenizer.h"

#define TOKENIZER_MOST_SETS 256

struct tokenizer_options {
    const char *name;   /* NULL: REMI, or what the file says */
    const char *config; /* a tokenizer.json, or NULL */
    const char *save;   /* where to write one, or NULL */
    int no_programs;
    const char *sets[TOKENIZER_MOST_SETS]; /* field=value */
    size_t set_count;
};

/* Makes the tokenizer. 0, or -1 with `why`, which names the option. */
int tokenizer_options_load(const struct tokenizer_options *options, struct tokenizer *tokenizer, struct reason *why) __attribute__((warn_unused_result));
/* Reports why there is no tokenizer, and returns the exit status: 2, or 1 where only memory was short. */
int tokenizer_options_report(const struct reason *why);
/* Writes options->save. 0, or -1 with `why`. */
int tokenizer_options_save(const struct tokenizer_options *options, const struct tokenizer *tokenizer, struct reason *why) __attribute__((warn_unused_result));

#endif
