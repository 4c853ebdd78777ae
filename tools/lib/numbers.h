/* Numbers from option texts. */
#ifndef REPRISE_NUMBERS_H
#define REPRISE_NUMBERS_H

#include <stddef.h>

/* Reads a whole decimal number, nothing around it, within [least, most]. 0, or -1: then `number` is untouched. */
int whole_number(const char *text, size_t least, size_t most, size_t *number);

#endif
