/* peak COMMAND ARGUMENT…: runs it, then prints the largest memory in use of it and its descendants (KB) and their processor time (ms); its exit status. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int status;
    struct rusage usage;
    if (argc < 2)
        return 2;
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[1], argv + 1);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0 || getrusage(RUSAGE_CHILDREN, &usage) < 0)
        return 2;
    long milliseconds = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
    printf("%ld %ld\n", usage.ru_maxrss, milliseconds);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
