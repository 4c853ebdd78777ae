/* Reading a shard's .pairs list (item_list.h), line by line: what combine needs of each pair beside tokens and embedding. */
#ifndef REPRISE_PAIR_LIST_H
#define REPRISE_PAIR_LIST_H

#include "json_stream.h"
#include "message.h"

struct listed_pair { struct json_span midi_file, text, fields; }; /* two JSON strings and an object */

struct pair_list; /* a list being read */

struct pair_list *pair_list_open(const char *path, struct reason *why) __attribute__((warn_unused_result));
/* 1 and the next pair (valid until the next call), 0 at the end, -1 with `why`. */
int pair_list_next(struct pair_list *list, struct listed_pair *pair, struct reason *why) __attribute__((warn_unused_result));
void pair_list_close(struct pair_list *list);

#endif
