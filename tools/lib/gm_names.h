/* The instruments of General MIDI (RP-003, sound set level 1), by program number from 0. */
#ifndef REPRISE_GM_NAMES_H
#define REPRISE_GM_NAMES_H

extern const char *const gm_names[128];

#endif
