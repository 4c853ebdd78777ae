/* Messages to the user: one line per problem on stderr, `program: path: what: why`.
 *
 * Promise: a line is written by a single write(2), so lines of parallel processes never mix; control characters in a path or
 * a text are shown escaped, so one problem stays one line; a live progress line on the terminal is cleared first.
 * LOG_LEVEL (debug info warning error critical, from the environment) hides what is less grave. */
#ifndef REPRISE_MESSAGE_H
#define REPRISE_MESSAGE_H

enum message_level { MESSAGE_DEBUG, MESSAGE_INFO, MESSAGE_WARNING, MESSAGE_ERROR, MESSAGE_CRITICAL };

/* Call first in main. Takes the program's name and LOG_LEVEL. Returns 0, or -1 (reported) if LOG_LEVEL is unknown. */
int message_init(const char *program);
const char *message_program(void);
int message_shown(enum message_level level); /* whether LOG_LEVEL lets it through */

/* Formats and writes one line. `path` may be NULL, and is not said twice. The text says what failed, then why. */
void message(enum message_level level, const char *path, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A line of a program's answer on stdout, its control characters escaped in the same way. */
void print_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The last thing that a program does with stdout: 0 if all of it was taken, else -1, reported. */
int print_end(void) __attribute__((warn_unused_result));

/* Why a call failed, handed upwards: only main reports and decides to exit. */
struct reason { char text[512]; };

/* Fills `why` (if not NULL) and returns -1, so that a failing function can `return fail(why, "…")`. */
int fail(struct reason *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, with ": " and the system's text of errno appended. */
int fail_errno(struct reason *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Whether the reason is a lack of memory (it begins with "out of memory"): no property of the item, so no reason to quarantine it. */
int is_out_of_memory(const struct reason *why);

/* The standard endings of option parsing: --version, and "see --help" for wrong usage. */
void print_version(void);
int usage_error(const char *format, ...) __attribute__((format(printf, 1, 2))); /* reports, returns 2 */

#endif
