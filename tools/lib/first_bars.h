/* Octuple and MuMIDI number bars up to max_bar_embedding, and MidiTok cuts a piece off behind them. */
#ifndef REPRISE_FIRST_BARS_H
#define REPRISE_FIRST_BARS_H

#include "grid_score.h"

/* When bar number `bars`, counted from 0, begins, in ticks; INT32_MAX: later than can be. */
int32_t end_of_first_bars(const struct grid_score *score, int32_t bars);

#endif
