/* The values that tokens have: durations, velocities, tempos, …, computed as numpy computes them, to the last bit. Part of vocabulary.h. */
#ifndef REPRISE_VOCABULARY_VALUES_H
#define REPRISE_VOCABULARY_VALUES_H

#include "vocabulary.h"

/* Fills the tables of values. 0, or -1 with `why`. */
int vocabulary_values_make(struct vocabulary *vocabulary, struct reason *why) __attribute__((warn_unused_result));

/* The i-th of numpy.linspace(first, last, count). */
double linspace(double first, double last, int count, int i);
/* Python's str() of a finite float. */
void python_float(double number, char *out, size_t size);
/* The values that a control may have, ascending; how many. */
int control_values(const struct tokenizer_config *config, int number, uint8_t values[128]);

#endif
