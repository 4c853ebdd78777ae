#include "first_bars.h"

int32_t end_of_first_bars(const struct grid_score *score, int32_t bars)
{
    int64_t time = 0, bar_ticks = 4 * (int64_t)score->quarter, left = bars;
    for (size_t i = 0; i < score->time_signature_count; i++) {
        const struct grid_time_signature *signature = &score->time_signatures[i];
        int64_t passed = (signature->time - time + bar_ticks - 1) / bar_ticks;
        if (passed > left)
            break;
        left -= passed;
        time = signature->time;
        bar_ticks = signature->bar;
    }
    time += left * bar_ticks;
    return time < INT32_MAX ? (int32_t)time : INT32_MAX;
}
