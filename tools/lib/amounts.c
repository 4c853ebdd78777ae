#include "amounts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <string.h>

int parse_bytes(const char *text, uint64_t *bytes)
{
    static const char units[] = "KMGT";
    char *end;
    if (*text < '0' || *text > '9')
        return -1;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    const char *unit = *end ? strchr(units, *end) : NULL;
    if (errno || (*end && (!unit || end[1])))
        return -1;
    int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    if (number > UINT64_MAX >> shift)
        return -1;
    *bytes = (uint64_t)number << shift;
    return 0;
}

char *format_bytes(uint64_t bytes, char out[AMOUNT])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double amount = (double)bytes;
    size_t unit = 0;
    for (; amount >= 999.5 && unit + 1 < sizeof units / sizeof *units; unit++)
        amount /= 1000;
    snprintf(out, AMOUNT, "%.*f %s", unit > 0 && amount < 99.95, amount, units[unit]);
    return out;
}

char *format_duration(double seconds, char out[AMOUNT])
{
    long whole = seconds < 1e9 ? (long)(seconds + 0.5) : 1000000000;
    if (whole < 10)
        snprintf(out, AMOUNT, "%.1f s", seconds);
    else if (whole < 60)
        snprintf(out, AMOUNT, "%ld s", whole);
    else if (whole < 3600)
        snprintf(out, AMOUNT, "%ldm%02lds", whole / 60, whole % 60);
    else
        snprintf(out, AMOUNT, "%ldh%02ldm", whole / 3600, whole / 60 % 60);
    return out;
}

char *format_speed(double per_second, char out[AMOUNT])
{
    snprintf(out, AMOUNT, "%.*f", per_second < 1 ? 2 : per_second < 10 ? 1 : 0, per_second);
    return out;
}

char *format_moment(double since_1970, char out[AMOUNT])
{
    struct tm local;
    time_t seconds = (time_t)since_1970;
    strftime(out, AMOUNT, "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &local));
    return out;
}

char *format_now(char out[AMOUNT])
{
    struct timespec now;
    struct tm local;
    clock_gettime(CLOCK_REALTIME, &now);
    size_t used = strftime(out, AMOUNT, "%Y-%m-%dT%H:%M:%S", localtime_r(&now.tv_sec, &local));
    snprintf(out + used, AMOUNT - used, ".%06ld", now.tv_nsec / 1000);
    return out;
}
