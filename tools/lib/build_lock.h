/* One build at a time in a WORK_DIR: the lock file WORK_DIR/lock, held for as long as the make that builds is alive.
 *
 * Make cannot hold a lock itself, so plan starts a small process that does: it waits for the end of make and ends then. The kernel drops the lock with that
 * process, however it ends, so nothing is ever left locked: kill make, the whole process group, or the machine, and the next make goes on. The file says who
 * holds the lock (process, host, since when); it stays when nobody does.
 *
 * Nothing depends on the lock for being right: names are hashes of contents and appear whole. Without it two builds do the same work twice. So
 * where the file system has no locks, that is said and the build goes on. */
#ifndef REPRISE_BUILD_LOCK_H
#define REPRISE_BUILD_LOCK_H

#include "message.h"

struct build_holder { char text[160]; long process; }; /* "make 1234 on host, since 2026-11-24 10:00:00"; process: 0 if it is not of this host */

/* Takes the lock for the process `make`, waiting for its holder if need be, who is named in a message then. It is given back when the caller ends, unless
 * build_lock_keep is called. 1 after waiting, 0 without, -1 with `why`. */
int build_lock_take(const char *work, long make, struct reason *why) __attribute__((warn_unused_result));
/* From here on the lock stays until make ends. */
void build_lock_keep(void);

/* Takes the lock until the caller ends, for work that must not meet a build. 0, or -1 with `why`, which names the holder. */
int build_lock_try(const char *work, struct reason *why) __attribute__((warn_unused_result));
/* Whether a build is at work: 1 and who it is, else 0. Takes nothing. */
int build_lock_is_held(const char *work, struct build_holder *holder);

#endif
