#include "item_guard.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "progress.h"

/* What a child tells the parent and the next child, in shared memory. */
struct in_hand {
    _Atomic uint64_t first, count, began; /* began: nanoseconds of the child's processor time */
    _Atomic uint64_t done, quarantined, copied; /* in the run's progress */
    _Atomic uint64_t told;                /* the user has been told about items before this one */
};

struct verdict { size_t item; char reason[96]; };

struct guard {
    struct in_hand *in_hand;
    struct verdict *verdicts;
    size_t verdict_count;
    int one_by_one;
};

enum death { ENDED, DIED, TOOK_TOO_LONG };

static uint64_t nanoseconds(clockid_t clock)
{
    struct timespec time;
    return clock_gettime(clock, &time) == 0 ? (uint64_t)time.tv_sec * 1000000000ULL + (uint64_t)time.tv_nsec : 0;
}

void guard_begin(struct guard *guard, size_t first, size_t count)
{
    atomic_store(&guard->in_hand->count, 0);
    atomic_store(&guard->in_hand->first, first);
    atomic_store(&guard->in_hand->began, nanoseconds(CLOCK_PROCESS_CPUTIME_ID));
    atomic_store(&guard->in_hand->count, count);
}

const char *guard_verdict(const struct guard *guard, size_t item)
{
    for (size_t i = 0; i < guard->verdict_count; i++)
        if (guard->verdicts[i].item == item)
            return guard->verdicts[i].reason;
    return NULL;
}

int guard_one_by_one(const struct guard *guard)
{
    return guard->one_by_one;
}

/* What is more than was counted before; a child that begins again may count less. */
static uint64_t more_than(_Atomic uint64_t *counted, uint64_t now)
{
    uint64_t before = atomic_load(counted);
    if (now <= before)
        return 0;
    atomic_store(counted, now);
    return now - before;
}

void guard_progress(struct guard *guard, struct progress_items so_far)
{
    struct progress_items more = {
        .done = more_than(&guard->in_hand->done, so_far.done),
        .quarantined = more_than(&guard->in_hand->quarantined, so_far.quarantined),
        .copied = more_than(&guard->in_hand->copied, so_far.copied),
    };
    if (more.done > 0)
        progress_add(more);
}

int guard_told(struct guard *guard, size_t item)
{
    if (item < atomic_load(&guard->in_hand->told))
        return 1;
    atomic_store(&guard->in_hand->told, item + 1);
    return 0;
}

static int read_memory(const char *text, size_t *bytes)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    int shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    if (end == text || *text == '-' || errno || end[shift ? 1 : 0] || number > (SIZE_MAX >> shift))
        return -1;
    *bytes = (size_t)number << shift;
    return 0;
}

int guard_limits_read(struct guard_limits *limits, struct reason *why)
{
    const char *seconds = getenv("ITEM_TIMEOUT"), *memory = getenv("ITEM_MEMORY");
    char *end = NULL;
    *limits = (struct guard_limits){.seconds = 60};
    if (seconds && *seconds) {
        limits->seconds = strtod(seconds, &end);
        if (*end || !(limits->seconds >= 0 && limits->seconds < 1e9))
            return fail(why, "ITEM_TIMEOUT=%s: a number of seconds is needed (0: no limit)", seconds);
    }
    if (memory && *memory && read_memory(memory, &limits->memory) < 0)
        return fail(why, "ITEM_MEMORY=%s: a number of bytes is needed, with K, M or G (0: no limit)", memory);
    return 0;
}

/* The limit counts from what is mapped now: libraries differ from machine to machine. */
static void limit_memory(size_t memory)
{
    unsigned long long pages = 0;
    FILE *state = fopen("/proc/self/statm", "re");
    if (state && fscanf(state, "%llu", &pages) != 1)
        pages = 0;
    if (state)
        fclose(state);
    rlim_t limit = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + memory;
    setrlimit(RLIMIT_AS, &(struct rlimit){limit, limit});
}

static _Noreturn void run_child(struct guard *guard, const struct guard_limits *limits, pid_t parent, const sigset_t *signals, guarded_work *work,
                                void *context)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1); /* the parent died before that took hold */
    sigprocmask(SIG_SETMASK, signals, NULL);
    if (limits->memory)
        limit_memory(limits->memory);
    exit(work(guard, context));
}

/* Waits for the child's end, looking at its clock four times a second. */
static enum death watch(const struct guard *guard, const struct guard_limits *limits, pid_t child, const sigset_t *child_signal, int *status)
{
    clockid_t clock;
    int clocked = limits->seconds > 0 && clock_getcpuclockid(child, &clock) == 0, overdue = 0;
    for (;;) {
        pid_t ended = waitpid(child, status, WNOHANG);
        if (ended == child)
            return WIFEXITED(*status) ? ENDED : overdue ? TOOK_TOO_LONG : DIED;
        uint64_t count = atomic_load(&guard->in_hand->count), began = atomic_load(&guard->in_hand->began), spent = clocked ? nanoseconds(clock) : 0;
        if (!overdue && count > 0 && spent > began && (double)(spent - began) * 1e-9 > limits->seconds * (double)count) {
            overdue = 1;
            kill(child, SIGKILL);
        }
        sigtimedwait(child_signal, NULL, &(struct timespec){0, 250000000});
    }
}

static int condemn(struct guard *guard, size_t item, enum death death, int status, const struct guard_limits *limits, struct reason *why)
{
    struct verdict *verdicts = reallocarray(guard->verdicts, guard->verdict_count + 1, sizeof *verdicts);
    if (!verdicts)
        return fail(why, "out of memory");
    guard->verdicts = verdicts;
    struct verdict *verdict = &verdicts[guard->verdict_count++];
    verdict->item = item;
    if (death == TOOK_TOO_LONG)
        snprintf(verdict->reason, sizeof verdict->reason, OVER_ITEM_TIMEOUT, limits->seconds);
    else
        snprintf(verdict->reason, sizeof verdict->reason, DIED_TWICE, strsignal(WTERMSIG(status)));
    return 0;
}

/* Works until a child ends by itself. */
static int keep_working(struct guard *guard, const struct guard_limits *limits, guarded_work *work, void *context, const sigset_t *before,
                        const sigset_t *child_signal, struct reason *why)
{
    uint64_t last_item = UINT64_MAX; /* of the death before */
    for (;;) {
        int status;
        pid_t parent = getpid();
        fflush(NULL);
        atomic_store(&guard->in_hand->count, 0);
        pid_t child = fork();
        if (child < 0)
            return fail_errno(why, "cannot start a process");
        if (child == 0)
            run_child(guard, limits, parent, before, work, context);
        enum death death = watch(guard, limits, child, child_signal, &status);
        if (death == ENDED)
            return WEXITSTATUS(status);
        uint64_t count = atomic_load(&guard->in_hand->count), item = count > 0 ? atomic_load(&guard->in_hand->first) : UINT64_MAX - 1;
        message(MESSAGE_DEBUG, NULL, "a worker died (%s), with %llu items in hand; beginning again", strsignal(WTERMSIG(status)), (unsigned long long)count);
        if (count > 1)
            guard->one_by_one = 1;
        else if (item == last_item && count == 0)
            return fail(why, "died twice (%s)", strsignal(WTERMSIG(status)));
        else if (item == last_item && condemn(guard, (size_t)item, death, status, limits, why) < 0)
            return -1;
        last_item = count > 1 ? UINT64_MAX : item;
    }
}

int guard_run(const struct guard_limits *limits, guarded_work *work, void *context, struct reason *why)
{
    struct guard guard = {0};
    sigset_t child_signal, before;
    guard.in_hand = mmap(NULL, sizeof *guard.in_hand, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (guard.in_hand == MAP_FAILED)
        return fail_errno(why, "shared memory");
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_signal, &before);
    int result = keep_working(&guard, limits, work, context, &before, &child_signal, why);
    sigprocmask(SIG_SETMASK, &before, NULL);
    munmap(guard.in_hand, sizeof *guard.in_hand);
    free(guard.verdicts);
    return result;
}

int error_is_of_a_limit(const char *error)
{
    static const char *const errors[] = {OVER_ITEM_TIMEOUT, OVER_ITEM_MEMORY, DIED_TWICE};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (strncmp(error, errors[i], strcspn(errors[i], "%")) == 0)
            return 1;
    return 0;
}
