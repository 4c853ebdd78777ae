/* The files that a program is called with, IN and OUT. */
#ifndef REPRISE_OPERANDS_H
#define REPRISE_OPERANDS_H

int ends_with(const char *text, const char *end);

/* Whether OUT can be written: not "-", data never goes to the terminal; and not the file IN, which would be lost. 0, or 2 after telling the wrong usage. */
int check_out(const char *in, const char *out) __attribute__((warn_unused_result));

#endif
