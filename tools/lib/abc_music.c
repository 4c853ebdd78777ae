#include "abc_music.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "grow.h"
#include "utf8.h"
#include "whole_file.h"

#define SECONDS 10                  /* of processor time; a tune takes some milliseconds */
#define PATIENCE (6 * SECONDS * 1000) /* milliseconds by the clock: it may have to wait for its turn */
#define MOST_MEMORY ((rlim_t)512 << 20)
#define MOST_OUTPUT ((rlim_t)16 << 20)
#define NOT_STARTED 127             /* an exit status */

/* ---- what is ABC ---- */

/* Behind the line that begins like "X:", or NULL. */
static const uint8_t *behind_field(const uint8_t *at, const uint8_t *end, uint8_t name)
{
    while (at < end) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at)), *line_end = newline ? newline : end;
        if (line_end - at >= 2 && at[0] == name && at[1] == ':')
            return line_end;
        at = newline ? newline + 1 : end;
    }
    return NULL;
}

int is_abc(const uint8_t *bytes, size_t count)
{
    const uint8_t *end = bytes + count;
    bytes += utf8_mark((const char *)bytes, count);
    const uint8_t *tune = memchr(bytes, 0, (size_t)(end - bytes)) ? NULL : behind_field(bytes, end, 'X');
    return tune && behind_field(tune, end, 'K');
}

/* ---- running abc2midi ---- */

/* The first abc2midi in PATH. 1; 0: there is none; -1: a folder cannot be looked at, and it might be there. */
static int find_program(char path[PATH_MAX], struct reason *why)
{
    struct stat status;
    const char *folders = getenv("PATH");
    for (const char *at = folders ? folders : ""; *at; at += strspn(at, ":")) {
        int length = (int)strcspn(at, ":");
        if (length < PATH_MAX && snprintf(path, PATH_MAX, "%.*s/abc2midi", length, at) < PATH_MAX) {
            if (stat(path, &status) == 0) {
                if (S_ISREG(status.st_mode) && access(path, X_OK) == 0)
                    return 1;
            } else if (errno == EIO || errno == ENOMEM) {
                return fail_errno(why, "%s", path);
            }
        }
        at += length;
    }
    return 0;
}

struct streams { int in, out, words; }; /* memory files: ABC, MIDI, and what the program says */

static void close_streams(const struct streams *streams)
{
    const int all[] = {streams->in, streams->out, streams->words};
    for (size_t i = 0; i < 3; i++)
        if (all[i] >= 0)
            close(all[i]);
}

static int open_streams(struct streams *streams, struct reason *why)
{
    *streams = (struct streams){memfd_create("in.abc", 0), memfd_create("out.mid", 0), memfd_create("words", 0)};
    if (streams->in >= 0 && streams->out >= 0 && streams->words >= 0)
        return 0;
    fail_errno(why, "ABC: memory for abc2midi");
    close_streams(streams);
    return -1;
}

static void limit(__rlimit_resource_t resource, rlim_t most)
{
    struct rlimit now;
    if (getrlimit(resource, &now) == 0 && (now.rlim_max == RLIM_INFINITY || now.rlim_max > most))
        setrlimit(resource, &(struct rlimit){most, most});
}

static _Noreturn void become(char *const arguments[], const struct streams *streams, pid_t parent)
{
    int nothing = open("/dev/null", O_RDONLY);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    limit(RLIMIT_CPU, SECONDS);
    limit(RLIMIT_AS, MOST_MEMORY);
    limit(RLIMIT_FSIZE, MOST_OUTPUT);
    limit(RLIMIT_CORE, 0);
    if (getppid() == parent && nothing >= 0 && dup2(nothing, 0) >= 0 && dup2(streams->words, 1) >= 0 && dup2(streams->words, 2) >= 0)
        execv(arguments[0], arguments);
    _exit(NOT_STARTED);
}

/* Runs the program to its end; its exit status in `status`, or -1 with `why`. */
static int run(char *const arguments[], const struct streams *streams, int *status, struct reason *why)
{
    pid_t parent = getpid(), child = fork();
    if (child < 0)
        return fail_errno(why, "ABC: abc2midi cannot be started");
    if (child == 0)
        become(arguments, streams, parent);
    int ended, clock = pidfd_open(child, 0), overdue = 0;
    if (clock >= 0) {
        while ((ended = poll(&(struct pollfd){clock, POLLIN, 0}, 1, PATIENCE)) < 0 && errno == EINTR)
            ;
        overdue = ended == 0;
        close(clock);
    }
    if (overdue)
        kill(child, SIGKILL);
    while (waitpid(child, &ended, 0) < 0)
        if (errno != EINTR)
            return fail_errno(why, "ABC: abc2midi");
    if (overdue || (WIFSIGNALED(ended) && (WTERMSIG(ended) == SIGXCPU || WTERMSIG(ended) == SIGKILL)))
        return fail(why, "ABC: abc2midi took too long (more than %d s)", SECONDS);
    if (WIFSIGNALED(ended))
        return fail(why, "ABC: abc2midi died of it (%s)", strsignal(WTERMSIG(ended)));
    *status = WEXITSTATUS(ended);
    return 0;
}

static int write_all(int to, const uint8_t *bytes, size_t count, struct reason *why)
{
    while (count > 0) {
        ssize_t written = write(to, bytes, count);
        if (written < 0 && errno != EINTR)
            return fail_errno(why, "ABC: write");
        if (written > 0) {
            bytes += written;
            count -= (size_t)written;
        }
    }
    return 0;
}

static int read_all(int from, struct unpacked *out, struct reason *why)
{
    struct stat status;
    if (fstat(from, &status) < 0)
        return fail_errno(why, "ABC: read");
    out->count = 0;
    if (GROW(out->bytes, out->capacity, (size_t)status.st_size + 1, why) < 0)
        return -1;
    while (out->count < (size_t)status.st_size) {
        ssize_t got = pread(from, out->bytes + out->count, (size_t)status.st_size - out->count, (off_t)out->count);
        if (got < 0 && errno != EINTR)
            return fail_errno(why, "ABC: read");
        if (got == 0)
            break;
        out->count += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

/* The first line in which abc2midi speaks of an error, or nothing. */
static void first_error(int words, char *line, size_t room)
{
    char text[4096];
    ssize_t got = pread(words, text, sizeof text - 1, 0);
    text[got > 0 ? got : 0] = 0;
    const char *error = strstr(text, "Error in ");
    snprintf(line, room, "%s%.*s", error ? ": " : "", error ? (int)strcspn(error, "\n") : 0, error ? error : "");
}

static int convert(const struct streams *streams, struct unpacked *midi, struct reason *why)
{
    char program[PATH_MAX], in[32], out[32], error[200];
    int status = 0;
    snprintf(in, sizeof in, "/proc/self/fd/%d", streams->in);
    snprintf(out, sizeof out, "/proc/self/fd/%d", streams->out);
    int found = find_program(program, why);
    if (found <= 0)
        return found < 0 ? -1 : fail(why, "ABC notation needs the program abc2midi (Debian package abcmidi), which is not installed");
    char *const arguments[] = {program, in, "-o", out, NULL};
    if (run(arguments, streams, &status, why) < 0)
        return -1;
    if (status == NOT_STARTED)
        return fail(why, "ABC: %s cannot be started", program);
    first_error(streams->words, error, sizeof error);
    if (status != 0)
        return fail(why, "ABC: abc2midi failed, exit status %d%s", status, error);
    if (read_all(streams->out, midi, why) < 0)
        return -1;
    return midi->count > 0 ? 0 : fail(why, "ABC: abc2midi made no MIDI of it%s", error);
}

int abc_to_midi(const uint8_t *bytes, size_t count, struct unpacked *midi, struct reason *why)
{
    struct streams streams;
    if (memmem(bytes, count, "abc-include", strlen("abc-include")))
        return fail(why, "ABC: it includes another file (abc-include)");
    if (open_streams(&streams, why) < 0)
        return -1;
    int result = write_all(streams.in, bytes, count, why) < 0 ? -1 : convert(&streams, midi, why);
    close_streams(&streams);
    return result;
}

int abc_converter(char hex[HASH_HEX + 1], struct reason *why)
{
    struct whole_file program = {0};
    struct reason cause;
    char path[PATH_MAX];
    int found = find_program(path, why);
    if (found <= 0) {
        strcpy(hex, "none");
        return found;
    }
    int result = whole_file_read(path, &program, &cause);
    if (result == 0)
        hash_to_hex(hash_bytes(program.bytes, program.count), hex);
    else
        fail(why, "%s: %s", path, cause.text);
    whole_file_free(&program);
    return result;
}
