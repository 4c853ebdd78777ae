/* Amounts as people write and read them: sizes in bytes, durations, counts, moments. */
#ifndef REPRISE_AMOUNTS_H
#define REPRISE_AMOUNTS_H

#include <stdint.h>

enum { AMOUNT = 32 }; /* room for any of them */

/* "10G": a whole number, then nothing, K, M, G or T (powers of 1024). 0, or -1. */
int parse_bytes(const char *text, uint64_t *bytes);

/* They return `out`. */
char *format_bytes(uint64_t bytes, char out[AMOUNT]);     /* "812 B", "1.3 MB" (powers of 1000, as disks are sold) */
char *format_duration(double seconds, char out[AMOUNT]);  /* "0.8 s", "42 s", "2m09s", "3h05m" */
char *format_speed(double per_second, char out[AMOUNT]);  /* "0.42", "38", "7100" */
char *format_moment(double since_1970, char out[AMOUNT]); /* "2026-11-24 10:00:00", local time */
char *format_now(char out[AMOUNT]);                       /* "2026-11-24T10:00:00.123456", local time: a timestamp as Python's isoformat() writes it */

#endif
