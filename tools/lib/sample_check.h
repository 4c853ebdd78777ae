/* Whether results of unknown making are what the present settings give: some are made again, by the very program that would make them all, and compared.
 *
 * Tokens must be equal. Embeddings must have cosine 0.9999 or more and lengths that differ by less than a thousandth: another computer's sums differ in
 * the last digits, another model, pooling or normalization in the first. */
#ifndef REPRISE_SAMPLE_CHECK_H
#define REPRISE_SAMPLE_CHECK_H

#include <stddef.h>

#include "checkpoint_item.h"
#include "hash.h"
#include "known_shards.h"
#include "message.h"

enum { SAMPLE_SIZE = 3 };

struct sample { struct checkpoint_item *item; struct hash key; const char *path; /* of the MIDI file */ };

/* command: midi2tok or text2emb with its options, for the shell; work: WORK_DIR. *form: of MIDI, what the program makes. 0: they agree; 1: they do not, `why` says how; -1 with `why`:
 * it could not be found out. */
int sample_check(enum shard_kind kind, const char *command, const char *work, struct sample *samples, size_t count, struct token_form *form, struct reason *why)
    __attribute__((warn_unused_result));

#endif
