#include "message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "progress.h"

#ifndef REPRISE_VERSION
#error "the build passes REPRISE_VERSION"
#endif

static const char *program_name = "reprise";
static enum message_level lowest_shown = MESSAGE_INFO;
static int line_missing; /* of the answer on stdout */

int message_init(const char *program)
{
    static const char *const names[] = {"debug", "info", "warning", "error", "critical"};
    const char *slash = strrchr(program, '/');
    program_name = slash ? slash + 1 : program;
    const char *wanted = getenv("LOG_LEVEL");
    if (!wanted || !*wanted)
        return 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(wanted, names[i]) == 0) {
            lowest_shown = (enum message_level)i;
            return 0;
        }
    message(MESSAGE_ERROR, NULL, "LOG_LEVEL=%s: unknown; it is one of debug, info, warning, error, critical", wanted);
    return -1;
}

const char *message_program(void)
{
    return program_name;
}

int message_shown(enum message_level level)
{
    return level >= lowest_shown;
}

/* Appends `text`, control characters as \n, \t or \xNN, as far as it fits. */
static size_t add_escaped(char *line, size_t used, size_t room, const char *text)
{
    for (; *text && used + 5 < room; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '\n' || c == '\t' || c == '\r') {
            line[used++] = '\\';
            line[used++] = c == '\n' ? 'n' : c == '\t' ? 't' : 'r';
        } else if (c < 0x20 || c == 0x7f) {
            used += (size_t)snprintf(line + used, room - used, "\\x%02x", c);
        } else {
            line[used++] = (char)c;
        }
    }
    return used;
}

/* Whether the text begins with "path: " itself, as what comes from atomic_file.h does. */
static int names_path(const char *text, const char *path)
{
    size_t length = strlen(path);
    return strncmp(text, path, length) == 0 && strncmp(text + length, ": ", 2) == 0;
}

void message(enum message_level level, const char *path, const char *format, ...)
{
    if (!message_shown(level))
        return;
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);

    char line[3 * 4096];
    size_t used = (size_t)snprintf(line, sizeof line, "%s", progress_eraser());
    used = add_escaped(line, used, sizeof line - 1, program_name);
    used = add_escaped(line, used, sizeof line - 1, ": ");
    if (path && !names_path(text, path)) {
        used = add_escaped(line, used, sizeof line - 1, path);
        used = add_escaped(line, used, sizeof line - 1, ": ");
    }
    used = add_escaped(line, used, sizeof line - 1, text);
    line[used++] = '\n';
    if (write(STDERR_FILENO, line, used) < 0)
        return; /* nowhere left to say so */
}

void print_line(const char *format, ...)
{
    char *text = NULL, chunk[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        message(MESSAGE_ERROR, NULL, "out of memory");
        line_missing = 1;
        return;
    }
    for (const char *at = text; *at; at++) {
        const char one[2] = {*at, 0};
        fwrite(chunk, 1, add_escaped(chunk, 0, sizeof chunk, one), stdout); /* main checks the last flush */
    }
    putchar('\n');
    free(text);
}

int print_end(void)
{
    int flushed = fflush(stdout), error = errno;
    if (flushed == 0 && !ferror(stdout))
        return line_missing ? -1 : 0;
    message(MESSAGE_ERROR, NULL, "standard output: cannot write: %s", flushed ? strerror(error) : "not all of it was taken");
    return -1;
}

static int fill(struct reason *why, const char *system_text, const char *format, va_list arguments)
{
    if (!why)
        return -1;
    int used = vsnprintf(why->text, sizeof why->text, format, arguments);
    if (system_text && used >= 0 && (size_t)used < sizeof why->text)
        snprintf(why->text + used, sizeof why->text - (size_t)used, ": %s", system_text);
    return -1;
}

int fail(struct reason *why, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fill(why, NULL, format, arguments);
    va_end(arguments);
    return -1;
}

int fail_errno(struct reason *why, const char *format, ...)
{
    const char *system_text = strerror(errno);
    va_list arguments;
    va_start(arguments, format);
    fill(why, system_text, format, arguments);
    va_end(arguments);
    return -1;
}

int is_out_of_memory(const struct reason *why)
{
    return strncmp(why->text, "out of memory", strlen("out of memory")) == 0;
}

void print_version(void)
{
    printf("%s (Reprise) %s\n", program_name, REPRISE_VERSION);
}

int usage_error(const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    message(MESSAGE_ERROR, NULL, "%s; see %s --help", text, program_name);
    return 2;
}
