/* The list `pieces` that plan writes: one piece's name (32 hexadecimal digits) a line, in input order. */
#ifndef REPRISE_PIECE_NAMES_H
#define REPRISE_PIECE_NAMES_H

#include <stdio.h>

#include "message.h"

struct piece_names { FILE *list; const char *folder; char *path; size_t line; };

/* `folder` is where the pieces lie; it must outlive the names. */
int piece_names_open(struct piece_names *names, const char *folder, const char *list, struct reason *why) __attribute__((warn_unused_result));
/* 1 and the next piece's path (valid until the next call or close), 0 at the end, -1 with `why`. */
int piece_names_next(struct piece_names *names, char **path, struct reason *why) __attribute__((warn_unused_result));
void piece_names_close(struct piece_names *names);

#endif
