#include "build_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "amounts.h"

static const int patience = 500; /* milliseconds: a holder needs a moment to see that its make is gone */
static int keep_pipe = -1;       /* to the holder */

static char *lock_path(const char *work)
{
    char *path = NULL;
    return asprintf(&path, "%s/lock", work) < 0 ? NULL : path;
}

/* Whether an errno of flock says that there are no locks here, and not that someone has it. */
static int has_no_locks(int error)
{
    return error != EWOULDBLOCK && error != EINTR;
}

/* The file may be another user's, who lets us only read it: that is enough for a lock on local file systems. */
static int open_lock(const char *path)
{
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    return descriptor < 0 && errno == EACCES ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : descriptor;
}

/* `make clean` removes the file: a lock on a removed one is no lock. 1 or 0, -1 with `why` if that cannot be seen. */
static int is_current(int descriptor, const char *path, struct reason *why)
{
    struct stat held, named = {0};
    if (fstat(descriptor, &held) < 0 || (stat(path, &named) < 0 && errno != ENOENT))
        return fail_errno(why, "%s", path);
    return held.st_nlink > 0 && held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

static void read_holder(int descriptor, struct build_holder *holder)
{
    char host[sizeof holder->text] = "", own[256] = "";
    long process;
    ssize_t count = pread(descriptor, holder->text, sizeof holder->text - 1, 0);
    holder->text[count > 0 ? count : 0] = 0;
    holder->text[strcspn(holder->text, "\n")] = 0;
    for (char *c = holder->text; *c; c++)
        *c = *c < ' ' || *c == 0x7f ? '?' : *c;
    holder->process = 0;
    if (sscanf(holder->text, "%*s %ld on %159[^,]", &process, host) == 2 && process > 1 && gethostname(own, sizeof own - 1) == 0 && strcmp(host, own) == 0)
        holder->process = process;
    if (!*holder->text)
        snprintf(holder->text, sizeof holder->text, "another program");
}

static void write_holder(int descriptor, const char *program, long process)
{
    char host[128] = "", when[AMOUNT], text[sizeof((struct build_holder *)0)->text];
    gethostname(host, sizeof host - 1);
    int count = snprintf(text, sizeof text, "%s %ld on %s, since %s\n", program, process, host, format_moment((double)time(NULL), when));
    if (ftruncate(descriptor, 0) < 0 || pwrite(descriptor, text, (size_t)count, 0) < 0)
        return; /* only others' messages are the poorer for it */
}

/* The lock's descriptor (`*waited`: after waiting), -1 with `why`, -2 where there are no locks. Not patient: -1 if it is held. */
static int acquire(const char *path, int patient, int *waited, struct reason *why)
{
    struct build_holder holder;
    for (int pauses = 0;;) {
        int descriptor = open_lock(path);
        if (descriptor < 0)
            return fail_errno(why, "%s", path);
        if (flock(descriptor, LOCK_EX | (*waited ? 0 : LOCK_NB)) == 0) {
            int current = is_current(descriptor, path, why);
            if (current > 0)
                return descriptor;
            if (current < 0) {
                close(descriptor);
                return -1;
            }
        } else if (has_no_locks(errno)) {
            message(MESSAGE_WARNING, path, "%s: no locks on this file system; a second make at the same time would do the same work again", strerror(errno));
            close(descriptor);
            return -2;
        } else if (errno == EWOULDBLOCK && ++pauses > patience / 10) {
            read_holder(descriptor, &holder);
            if (!patient) {
                close(descriptor);
                return fail(why, "%s works there; try again when it is done", holder.text);
            }
            message(MESSAGE_WARNING, path, "%s works there; waiting until it is done", holder.text);
            *waited = 1;
        } else {
            poll(NULL, 0, 10);
        }
        close(descriptor);
    }
}

/* ---- the process that holds the lock ---- */

static int is_gone(long process, int handle, int milliseconds)
{
    if (handle >= 0)
        return poll(&(struct pollfd){.fd = handle, .events = POLLIN}, 1, -1) == 1;
    poll(NULL, 0, milliseconds);
    return kill((pid_t)process, 0) < 0 && errno == ESRCH;
}

static int compare_descriptors(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Nothing of the caller's is kept open, not even the streams: whoever reads make's output must see its end when make ends. */
static void close_all_but(int first, int second, int third)
{
    int kept[] = {first, second, third}, from = 0;
    qsort(kept, 3, sizeof *kept, compare_descriptors);
    for (int i = 0; i < 3; i++) {
        if (kept[i] > from)
            close_range((unsigned)from, (unsigned)kept[i] - 1, 0);
        from = kept[i] >= from ? kept[i] + 1 : from;
    }
    close_range((unsigned)from, ~0U, 0);
}

static void hold(int descriptor, long make, int from_plan)
{
    char word;
    ssize_t count;
    int handle = pidfd_open((pid_t)make, 0);
    close_all_but(descriptor, from_plan, handle);
    while ((count = read(from_plan, &word, 1)) < 0 && errno == EINTR)
        ;
    if (count == 1)
        while (!is_gone(make, handle, 200))
            ;
    _exit(0);
}

int build_lock_take(const char *work, long make, struct reason *why)
{
    int waited = 0, ends[2] = {-1, -1};
    char *path = lock_path(work);
    int descriptor = path ? acquire(path, 1, &waited, why) : fail(why, "out of memory");
    free(path);
    if (descriptor < 0)
        return descriptor == -2 ? waited : -1;
    write_holder(descriptor, "make", make);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return fail_errno(why, "pipe");
    /* No signal but SIGKILL ends the holder before make: make itself dies of an interrupt only when its programs have ended. */
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    pid_t holder = fork();
    if (holder == 0) {
        close(ends[1]);
        hold(descriptor, make, ends[0]);
    }
    int error = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(ends[0]);
    keep_pipe = ends[1];
    errno = error;
    return holder < 0 ? fail_errno(why, "fork") : waited; /* the descriptor stays open: with it this process holds the lock too */
}

void build_lock_keep(void)
{
    ssize_t count;
    void (*before)(int) = signal(SIGPIPE, SIG_IGN); /* somebody may have killed the holder */
    while (keep_pipe >= 0 && (count = write(keep_pipe, "k", 1)) < 0 && errno == EINTR)
        ;
    signal(SIGPIPE, before);
    if (keep_pipe >= 0)
        close(keep_pipe);
    keep_pipe = -1;
}

/* ---- for those that are no build ---- */

int build_lock_try(const char *work, struct reason *why)
{
    int waited = 0;
    char *path = lock_path(work);
    int descriptor = path ? acquire(path, 0, &waited, why) : fail(why, "out of memory");
    free(path);
    if (descriptor >= 0)
        write_holder(descriptor, message_program(), (long)getpid());
    return descriptor == -1 ? -1 : 0;
}

int build_lock_is_held(const char *work, struct build_holder *holder)
{
    char *path = lock_path(work);
    int descriptor = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1, held = 0;
    if (descriptor >= 0 && flock(descriptor, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        read_holder(descriptor, holder);
        held = !holder->process || kill((pid_t)holder->process, 0) == 0 || errno != ESRCH; /* its make may be gone, and the holder about to see it */
    }
    if (descriptor >= 0)
        close(descriptor);
    free(path);
    return held;
}
