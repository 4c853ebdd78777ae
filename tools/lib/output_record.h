/* What OUTPUT_DIR holds: a small file beside the outputs, OUTPUT_DIR/.record, written when all of them are complete.
 *
 * The outputs have fixed names, so their names cannot say what they are made of. The record says it: the hash of all piece names and output
 * settings, and each file's name and size. Outputs are current if the record has the wanted hash and every file its size; times are not asked. */
#ifndef REPRISE_OUTPUT_RECORD_H
#define REPRISE_OUTPUT_RECORD_H

#include <stddef.h>

#include "hash.h"
#include "message.h"

/* The hash of the outputs that `folder` holds, or held before they were touched. 1, 0 if there is no sound record, -1 with `why` if it could not be read. */
int output_record_hash(const char *folder, char hash[HASH_HEX + 1], struct reason *why) __attribute__((warn_unused_result));
/* 1 if `folder` holds the complete outputs of `hash` (hexadecimal), else 0; -1 with `why` if that could not be seen. */
int output_record_is_current(const char *folder, const char *hash, struct reason *why) __attribute__((warn_unused_result));
/* Takes back that the outputs are complete, so that the next build makes them again; the hash stays. To be done before the first of them is replaced: a run that ends between
 * them leaves files of two datasets, which may well have the sizes of the earlier one. 1, 0 if there was nothing to take back, -1 with `why`. */
int output_record_withdraw(const char *folder, struct reason *why) __attribute__((warn_unused_result));
/* Writes the record of these files, which must be in `folder`. 0, or -1 with `why`. */
int output_record_write(const char *folder, const char *hash, const char *const names[], size_t count, struct reason *why) __attribute__((warn_unused_result));

#endif
