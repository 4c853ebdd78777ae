/* The programs' signatures (`PROGRAM OPTIONS --signature`), without starting a program whose files have not changed.
 *
 * What a signature depends on, the program itself and the model's folder, is hashed through the stat index; if command, settings, contents and
 * the processor's features are those of an earlier time, the signature of that time holds. So a make with nothing to do starts no program but plan, and reads no weights. */
#ifndef REPRISE_SIGNATURE_CACHE_H
#define REPRISE_SIGNATURE_CACHE_H

#include <stddef.h>

#include "hash.h"
#include "message.h"
#include "stat_index.h"

struct signature_question {
    const char *command, *settings; /* for the shell, without " --signature"; the values of the variables that it names, as text */
    const char *const *depends;     /* [depend_count]: files and folders whose contents decide it */
    size_t depend_count;
};

/* cache: the file of earlier answers; a damaged one is ignored. Fills `hex`. 0, or -1 with `why` (the program has said on stderr what it refused). */
int signature_find(struct stat_index *index, const char *cache, const struct signature_question *question, char hex[HASH_HEX + 1], struct reason *why)
    __attribute__((warn_unused_result));

/* The hash of what one such file or folder holds, whatever it is called. 0, or -1 with `why`. */
int signature_contents(struct stat_index *index, const char *path, struct hash *contents, struct reason *why) __attribute__((warn_unused_result));

#endif
