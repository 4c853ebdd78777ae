#include "numbers.h"

int whole_number(const char *text, size_t least, size_t most, size_t *number)
{
    size_t value = 0;
    if (!*text)
        return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || value > most / 10)
            return -1;
        value = value * 10 + (size_t)(*text - '0');
    }
    if (value < least || value > most)
        return -1;
    *number = value;
    return 0;
}
