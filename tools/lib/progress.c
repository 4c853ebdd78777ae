#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "atomic_file.h"

static const uint64_t counters_magic = 0x0532676f72507052; /* the layout below, in this byte order */
static const uint64_t terminal_pause = 100 * 1000 * 1000ULL, plain_pause = 5 * 1000 * 1000 * 1000ULL; /* nanoseconds between drawings */

struct counters {
    uint64_t magic, started;
    uint64_t total[PROGRESS_STAGES], finished[PROGRESS_STAGES];
    double expected[PROGRESS_STAGES];
    _Atomic uint64_t done[PROGRESS_STAGES], quarantined[PROGRESS_STAGES], copied[PROGRESS_STAGES];
    _Atomic uint64_t named[PROGRESS_STAGES]; /* quarantined items that were to be named in a line */
    _Atomic uint64_t busy[PROGRESS_STAGES];  /* nanoseconds */
    _Atomic uint64_t drawn;                  /* when */
    _Atomic uint64_t latest;                 /* when anything was last added */
};

static struct counters *run; /* mapped, NULL without progress */
static enum progress_stage own_stage;
static uint64_t own_last; /* when this process last joined or added */

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (uint64_t)time.tv_sec * 1000000000ULL + (uint64_t)time.tv_nsec;
}

int progress_start(const char *path, const struct progress_beginning *beginning, struct reason *why)
{
    struct counters start = {.magic = counters_magic, .started = now()};
    atomic_init(&start.drawn, start.started);
    atomic_init(&start.latest, start.started);
    for (int stage = 0; stage < PROGRESS_STAGES; stage++) {
        start.total[stage] = beginning->total[stage];
        start.finished[stage] = beginning->finished[stage];
        start.expected[stage] = beginning->expected[stage];
    }
    struct atomic_file *file = atomic_file_open(path, why);
    if (!file)
        return -1;
    atomic_file_write(file, &start, sizeof start);
    return atomic_file_commit(file, why);
}

static struct counters *map_counters(const char *path, int writable)
{
    int descriptor = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return NULL;
    struct stat status;
    void *address = MAP_FAILED;
    errno = 0;
    if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == (off_t)sizeof(struct counters))
        address = mmap(NULL, sizeof(struct counters), PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, descriptor, 0);
    int error = errno;
    close(descriptor);
    errno = error;
    if (address == MAP_FAILED)
        return NULL;
    struct counters *counters = address;
    if (counters->magic == counters_magic)
        return counters;
    munmap(address, sizeof(struct counters));
    return NULL;
}

void progress_join(enum progress_stage stage)
{
    const char *path = getenv("PROGRESS_FILE");
    if (!path || !*path || !(run = map_counters(path, 1)))
        return;
    own_stage = stage;
    own_last = now();
}

static double seconds_between(uint64_t from, uint64_t to)
{
    return to > from ? (double)(to - from) * 1e-9 : 0;
}

static void figures_of(const struct counters *counters, uint64_t time, struct progress_figures *figures)
{
    figures->started = (double)counters->started * 1e-9;
    figures->wall_seconds = seconds_between(counters->started, time);
    figures->work_seconds = seconds_between(counters->started, atomic_load(&counters->latest));
    for (int stage = 0; stage < PROGRESS_STAGES; stage++) {
        figures->total[stage] = counters->total[stage];
        figures->finished[stage] = counters->finished[stage];
        figures->expected[stage] = counters->expected[stage];
        figures->done[stage] = atomic_load(&counters->done[stage]);
        figures->quarantined[stage] = atomic_load(&counters->quarantined[stage]);
        figures->copied[stage] = atomic_load(&counters->copied[stage]);
        figures->busy_seconds[stage] = (double)atomic_load(&counters->busy[stage]) * 1e-9;
    }
}

static int add_duration(char *out, size_t room, double seconds)
{
    long whole = (long)(seconds + 0.5);
    if (whole < 60)
        return snprintf(out, room, "%lds", whole);
    if (whole < 3600)
        return snprintf(out, room, "%ldm%02lds", whole / 60, whole % 60);
    return snprintf(out, room, "%ldh%02ldm", whole / 3600, whole / 60 % 60);
}

static double busy_in_all(const struct progress_figures *figures)
{
    double busy = 0;
    for (int i = 0; i < PROGRESS_STAGES; i++)
        busy += figures->busy_seconds[i];
    return busy;
}

double progress_stretch(const struct progress_figures *figures)
{
    const double busy = busy_in_all(figures);
    return busy > 0 && figures->wall_seconds > busy ? figures->wall_seconds / busy : 1;
}

double progress_speed(const struct progress_figures *figures, enum progress_stage stage)
{
    const double busy = busy_in_all(figures);
    if (figures->done[stage] <= figures->copied[stage] || figures->busy_seconds[stage] <= 0 || figures->wall_seconds <= 0)
        return 0;
    double at_work = busy > figures->wall_seconds ? busy / figures->wall_seconds : 1;
    return (double)(figures->done[stage] - figures->copied[stage]) / figures->busy_seconds[stage] * at_work;
}

/* "midi 320/5000 7100/s  text 96/5000 38/s  ETA 2m09s" */
static int format_line(char *line, size_t room, const struct progress_figures *figures)
{
    static const char *const names[PROGRESS_STAGES] = {"midi", "text"};
    int used = 0, known = 1;
    double remaining = 0; /* seconds, of work */
    for (int stage = 0; stage < PROGRESS_STAGES; stage++) {
        uint64_t done = figures->finished[stage] + figures->done[stage], total = figures->total[stage];
        double speed = progress_speed(figures, (enum progress_stage)stage);
        used += snprintf(line + used, room - (size_t)used, "%s%s %llu/%llu", stage ? "  " : "", names[stage], (unsigned long long)done,
                         (unsigned long long)total);
        if (speed > 0)
            used += snprintf(line + used, room - (size_t)used, " %.*f/s", speed < 10, speed);
        speed = speed > 0 ? speed : figures->expected[stage];
        if (done < total && speed > 0)
            remaining += (double)(total - done) / speed;
        known = known && (done >= total || speed > 0);
    }
    used += snprintf(line + used, room - (size_t)used, "  ETA ");
    used += known ? add_duration(line + used, room - (size_t)used, remaining * progress_stretch(figures)) : snprintf(line + used, room - (size_t)used, "--");
    return used;
}

/* Whether stderr is a terminal that can draw a line anew; Emacs' shell, TERM=dumb, cannot. */
static int can_redraw(void)
{
    const char *terminal = getenv("TERM");
    return isatty(STDERR_FILENO) && !(terminal && strcmp(terminal, "dumb") == 0);
}

static void draw(uint64_t time)
{
    struct progress_figures figures;
    figures_of(run, time, &figures);
    char text[256], line[300];
    int length = format_line(text, sizeof text, &figures);
    if (can_redraw()) {
        struct winsize size;
        if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 && length > size.ws_col - 1)
            length = size.ws_col - 1;
        /* The cursor goes back to the first column, so whatever is printed next (make's own words) begins there. */
        length = snprintf(line, sizeof line, "\r\033[K%.*s\r", length, text);
    } else {
        length = snprintf(line, sizeof line, "reprise: %s\n", text);
    }
    if (write(STDERR_FILENO, line, (size_t)length) < 0)
        return; /* progress never fails a run */
}

void progress_add(struct progress_items more)
{
    if (!run)
        return;
    uint64_t time = now();
    atomic_fetch_add(&run->done[own_stage], more.done);
    atomic_fetch_add(&run->quarantined[own_stage], more.quarantined);
    atomic_fetch_add(&run->copied[own_stage], more.copied);
    atomic_fetch_add(&run->busy[own_stage], time > own_last ? time - own_last : 0);
    own_last = time;
    atomic_store(&run->latest, time);
    if (!message_shown(MESSAGE_INFO))
        return;
    uint64_t drawn = atomic_load(&run->drawn), pause = can_redraw() ? terminal_pause : plain_pause;
    if (time > drawn && time - drawn >= pause && atomic_compare_exchange_strong(&run->drawn, &drawn, time))
        draw(time);
}

void progress_name_quarantined(const char *path, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    uint64_t before = run && !message_shown(MESSAGE_DEBUG) ? atomic_fetch_add(&run->named[own_stage], 1) : 0;
    if (before < QUARANTINES_NAMED)
        message(MESSAGE_WARNING, path, "%s", text);
    else if (before == QUARANTINES_NAMED)
        message(MESSAGE_WARNING, NULL, "more are quarantined; from here on they are only counted, and errors.jsonl will name all (LOG_LEVEL=debug: this does too)");
}

int progress_read(const char *path, struct progress_figures *figures)
{
    struct counters *counters = map_counters(path, 0);
    if (!counters)
        return -1;
    figures_of(counters, now(), figures);
    munmap(counters, sizeof *counters);
    return 0;
}

const char *progress_eraser(void)
{
    const char *path = getenv("PROGRESS_FILE");
    return path && *path && can_redraw() ? "\r\033[K" : "";
}
