/* A preloaded library (LD_PRELOAD) that makes the Nth call of one kind fail, or kills the program there.
 *
 * System calls are caught at the kernel's door, by syscall user dispatch (prctl, Linux 5.11): the kernel turns each system call of the program into
 * a SIGSYS, and the handler here lets it through or answers for the kernel. So those that the C library makes by itself are counted too (the
 * write(2) inside fflush, the open inside mkostemp); interposing write() would never see them. It needs no ptrace, so it runs wherever tests
 * run, and costs two microseconds a call, so thousands of runs take minutes. Allocations are caught by interposing malloc and its kin, which the
 * C library itself calls that way.
 *
 *   FAULT_COUNTER   a file of struct counter, shared by all processes of a run; without it nothing is done
 *   FAULT_PROGRAMS  names of the programs concerned, separated by spaces: make, its shells and rm go on undisturbed
 *   FAULT_CALL      write read open close fsync rename link unlink mkdir mmap ftruncate flock stat lseek fchmod allocate, or any of
 *                   several separated by spaces
 *   FAULT_AT        which call, counted over the whole run from 1; 0: only count
 *   FAULT_STICKY    1: that call and all later ones
 *   FAULT_EFFECT    an errno by name (ENOSPC EDQUOT EIO EINTR EMFILE ENOMEM ENOLCK EPERM), short (half of a read or write is done), kill (SIGKILL
 *                   before the call is made) or killgroup (the same for the whole process group)
 *
 * write(2) to stderr is neither counted nor hit: there a program says what is wrong. A close that fails has closed, as in Linux. Calls made by
 * further threads, before main's libraries are ready, or while popen, system or fork start a child, are not seen. */
#include <errno.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef __x86_64__
#error "the registers of a system call are those of x86-64"
#endif

enum call { WRITE, READ, OPEN, CLOSE, FSYNC, RENAME, LINK, UNLINK, MKDIR, MMAP, FTRUNCATE, FLOCK, STAT, LSEEK, FCHMOD, ALLOCATE, CALLS };

/* Read by the sweeps: how many wanted calls there were, how many were hit, how many of each kind, and whose allocation was the last that was hit. */
struct counter {
    _Atomic uint64_t calls, hits, of_kind[CALLS];
    char library[112];
};

enum { EFFECT_SHORT = -1, EFFECT_KILL = -2, EFFECT_KILL_GROUP = -3 }; /* beside errno's positive numbers */

static const char *const call_names[CALLS] = {"write",  "read", "open", "close",     "fsync", "rename", "link",  "unlink",
                                              "mkdir", "mmap", "ftruncate", "flock", "stat",  "lseek",  "fchmod", "allocate"};
static struct counter *counter; /* NULL: this program is not concerned */
static int wanted[CALLS], effect, sticky;
static uint64_t at;
static volatile char selector = 0; /* SYSCALL_DISPATCH_FILTER_ALLOW */

/* The only instructions whose system calls the kernel does not turn into signals. */
long fault_native(long number, long a, long b, long c, long d, long e, long f);
void fault_restore(void);
extern const char fault_native_end[];
__asm__(".pushsection .text\n"
        ".hidden fault_native\n.hidden fault_restore\n.hidden fault_native_end\n"
        ".globl fault_native\nfault_native:\n"
        "mov %rdi, %rax\nmov %rsi, %rdi\nmov %rdx, %rsi\nmov %rcx, %rdx\nmov %r8, %r10\nmov %r9, %r8\nmov 8(%rsp), %r9\nsyscall\nret\n"
        ".globl fault_restore\nfault_restore:\nmov $15, %eax\nsyscall\nud2\n" /* rt_sigreturn; the kernel looks at the address behind `syscall` */
        ".globl fault_native_end\nfault_native_end:\n"
        ".popsection\n");

/* Counts a call of a wanted kind. Whether it is to be hit. */
static int is_hit(enum call call)
{
    atomic_fetch_add(&counter->of_kind[call], 1);
    uint64_t number = atomic_fetch_add(&counter->calls, 1) + 1;
    if (at == 0 || number < at || (number > at && !sticky))
        return 0;
    atomic_fetch_add(&counter->hits, 1);
    if (effect == EFFECT_KILL || effect == EFFECT_KILL_GROUP)
        fault_native(SYS_kill, effect == EFFECT_KILL ? fault_native(SYS_getpid, 0, 0, 0, 0, 0, 0) : 0, SIGKILL, 0, 0, 0, 0);
    return 1;
}

static void give_up(const char *what)
{
    dprintf(STDERR_FILENO, "fault: %s\n", what);
    _exit(99);
}

/* ---- system calls ---- */

static enum call call_of(long number)
{
    switch (number) {
    case SYS_write: case SYS_pwrite64: case SYS_writev: return WRITE;
    case SYS_read: case SYS_pread64: case SYS_readv: return READ;
    case SYS_open: case SYS_openat: case SYS_creat: case SYS_dup: case SYS_pipe2: return OPEN;
    case SYS_close: return CLOSE;
    case SYS_fsync: case SYS_fdatasync: return FSYNC;
    case SYS_rename: case SYS_renameat: case SYS_renameat2: return RENAME;
    case SYS_link: case SYS_linkat: return LINK;
    case SYS_unlink: case SYS_unlinkat: return UNLINK;
    case SYS_mkdir: case SYS_mkdirat: return MKDIR;
    case SYS_mmap: return MMAP;
    case SYS_ftruncate: return FTRUNCATE;
    case SYS_flock: return FLOCK;
    case SYS_stat: case SYS_lstat: case SYS_fstat: case SYS_newfstatat: case SYS_statx: case SYS_access: case SYS_faccessat: case SYS_faccessat2: return STAT;
    case SYS_lseek: return LSEEK;
    case SYS_fchmod: return FCHMOD;
    default: return CALLS;
    }
}

/* The return from the handler restores the mask of before it, so what the program has set must be put there; but SIGSYS is never blocked. `old`: what the
 * program is told that the mask was. */
static void keep_mask(ucontext_t *context, uint64_t *old)
{
    const uint64_t caught = 1ULL << (SIGSYS - 1);
    uint64_t mask = 0;
    fault_native(SYS_rt_sigprocmask, SIG_BLOCK, 0, (long)&mask, sizeof mask, 0, 0);
    mask &= ~caught;
    memcpy(&context->uc_sigmask, &mask, sizeof mask);
    if (old)
        *old &= ~caught;
}

static void on_system_call(int signal, siginfo_t *information, void *context)
{
    (void)signal;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    long number = information->si_syscall, a = registers[REG_RDI], count = registers[REG_RDX];
    enum call call = call_of(number);
    int to_stderr = call == WRITE && a == STDERR_FILENO;
    if (call < CALLS && wanted[call] && !to_stderr && is_hit(call)) {
        if (effect > 0 && call == CLOSE)
            fault_native(number, a, 0, 0, 0, 0, 0);
        if (effect > 0) {
            registers[REG_RAX] = -effect;
            return;
        }
        if (effect == EFFECT_SHORT && (number == SYS_write || number == SYS_read) && count > 1)
            count /= 2;
    }
    registers[REG_RAX] = fault_native(number, a, registers[REG_RSI], count, registers[REG_R10], registers[REG_R8], registers[REG_R9]);
    if (number == SYS_rt_sigprocmask)
        keep_mask(context, (uint64_t *)registers[REG_RDX]);
}

static int catch_system_calls(void)
{
    struct { void (*handler)(int, siginfo_t *, void *); unsigned long flags; void (*restorer)(void); unsigned long mask; } action = {
        .handler = on_system_call, .flags = SA_SIGINFO | 0x04000000 /* SA_RESTORER */, .restorer = fault_restore};
    if (syscall(SYS_rt_sigaction, SIGSYS, &action, NULL, sizeof action.mask) < 0)
        return -1;
    const char *begin = (const char *)(uintptr_t)fault_native;
    if (prctl(59 /* PR_SET_SYSCALL_USER_DISPATCH */, 1 /* PR_SYS_DISPATCH_ON */, begin, fault_native_end - begin, &selector) < 0)
        return -1;
    selector = 1; /* SYSCALL_DISPATCH_FILTER_BLOCK */
    return 0;
}

/* What starts a child or a thread on another stack cannot return through a signal handler: the calls meanwhile go straight to the kernel. */
FILE *popen(const char *command, const char *type)
{
    FILE *(*next)(const char *, const char *) = (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, "popen");
    char before = selector;
    selector = 0;
    FILE *stream = next(command, type);
    selector = before;
    return stream;
}

int system(const char *command)
{
    int (*next)(const char *) = (int (*)(const char *))dlsym(RTLD_NEXT, "system");
    char before = selector;
    selector = 0;
    int status = next(command);
    selector = before;
    return status;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
        (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(RTLD_NEXT, "pthread_create");
    char before = selector;
    selector = 0;
    int result = next(thread, attributes, start, argument);
    selector = before;
    return result;
}

/* The kernel turns dispatch off in a child. */
pid_t fork(void)
{
    pid_t (*next)(void) = (pid_t (*)(void))dlsym(RTLD_NEXT, "fork");
    char before = selector;
    selector = 0;
    pid_t child = next();
    if (child == 0 && before && catch_system_calls() < 0)
        give_up("no syscall user dispatch in a child");
    selector = before;
    return child;
}

/* ---- allocations; not under AddressSanitizer, which has an allocator of its own ---- */

#ifndef FAULT_WITHOUT_ALLOCATIONS
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

static int allocation_fails(void *caller)
{
    if (!counter || !wanted[ALLOCATE] || !is_hit(ALLOCATE) || effect <= 0)
        return 0;
    Dl_info found;
    const char *path = dladdr(caller, &found) && found.dli_fname ? found.dli_fname : "?", *slash = strrchr(path, '/');
    snprintf(counter->library, sizeof counter->library, "%s", slash ? slash + 1 : path);
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return allocation_fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return allocation_fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    return allocation_fails(__builtin_return_address(0)) ? NULL : __libc_realloc(block, size);
}

void *reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return allocation_fails(__builtin_return_address(0)) ? NULL : __libc_realloc(block, bytes);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return allocation_fails(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    if (allocation_fails(__builtin_return_address(0)) || !(*block = __libc_memalign(alignment, size)))
        return ENOMEM;
    return 0;
}
#endif

/* ---- setting up ---- */

static int is_named(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *found = list; (found = strstr(found, name)); found += length)
        if ((found == list || found[-1] == ' ') && (found[length] == 0 || found[length] == ' '))
            return 1;
    return 0;
}

static int effect_of(const char *name)
{
    static const struct { const char *name; int effect; } effects[] = {
        {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EIO", EIO},     {"EINTR", EINTR},        {"EMFILE", EMFILE},
        {"ENOMEM", ENOMEM}, {"ENOLCK", ENOLCK}, {"EPERM", EPERM}, {"short", EFFECT_SHORT}, {"kill", EFFECT_KILL},
        {"killgroup", EFFECT_KILL_GROUP}};
    for (size_t i = 0; i < sizeof effects / sizeof *effects; i++)
        if (strcmp(effects[i].name, name) == 0)
            return effects[i].effect;
    return 0;
}

__attribute__((constructor)) static void set_up(void)
{
    const char *path = getenv("FAULT_COUNTER"), *programs = getenv("FAULT_PROGRAMS"), *calls = getenv("FAULT_CALL"), *number = getenv("FAULT_AT"),
               *name = getenv("FAULT_EFFECT"), *stays = getenv("FAULT_STICKY");
    if (!path || !programs || !is_named(programs, program_invocation_short_name))
        return;
    int known = 0, dispatched = 0;
    for (int i = 0; calls && i < CALLS; i++) {
        known += wanted[i] = is_named(calls, call_names[i]);
        dispatched += i != ALLOCATE && wanted[i];
    }
    at = number ? strtoull(number, NULL, 10) : 0;
    sticky = stays && strcmp(stays, "1") == 0;
    effect = name ? effect_of(name) : 0;
    if (!known || (at > 0 && !effect))
        give_up("FAULT_CALL or FAULT_EFFECT is not known");
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    void *shared = descriptor < 0 ? MAP_FAILED : mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (shared == MAP_FAILED)
        give_up("FAULT_COUNTER cannot be mapped");
    close(descriptor);
    counter = shared;
    if (dispatched && catch_system_calls() < 0)
        give_up("this kernel has no syscall user dispatch");
}
