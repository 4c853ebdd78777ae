/* Reading a JSON checkpoint of any form that is known: {"processed_data":[…],…}, {"processed_texts":[…],…}, the oldest, a bare list, and those
 * that Reprise writes (checkpoint_record.h).
 *
 * The whole file is checked before its first record is handed out. If it is damaged or missing, `.bak` beside it is taken, and that is said. Then
 * records are streamed: only one is in memory. A `.tmp` that a crash left behind is never looked at. */
#ifndef REPRISE_CHECKPOINT_FILE_H
#define REPRISE_CHECKPOINT_FILE_H

#include <stddef.h>

#include "hash.h"
#include "json_stream.h"
#include "message.h"
#include "text_buffer.h"

struct checkpoint_file {
    char *path;                     /* of the file that is read: the wanted one, or its .bak */
    int stated;                     /* whether it says what its records were made with */
    char signature[HASH_HEX + 1];   /* if so */
    int has_records;
    size_t records;
    char last_processed_idx[24];    /* as it stands there; "" if absent */
    struct json_stream stream;      /* inside the list of records */
    size_t next;                    /* number of the next record, from 0 */
};

/* 1: open; 0: there is neither the file nor a .bak; -1: reported, both are damaged or unreadable. `kind`: "midi" or "text", which a stated one
 * must be of; NULL: of no kind. */
int checkpoint_file_open(struct checkpoint_file *file, const char *path, const char *kind) __attribute__((warn_unused_result));
/* Back to the first record. 0, or -1 with `why`. */
int checkpoint_file_rewind(struct checkpoint_file *file, struct reason *why) __attribute__((warn_unused_result));
/* 1 and the next record's compact text, 0 at the end, -1 with `why`. */
int checkpoint_file_next(struct checkpoint_file *file, struct text_buffer *record, struct reason *why) __attribute__((warn_unused_result));
void checkpoint_file_close(struct checkpoint_file *file);

#endif
