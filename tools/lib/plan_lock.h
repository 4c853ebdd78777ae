/* The lock on WORK_DIR's plan, for as long as the process lives: plans share it, gc wants it alone, so nothing is planned while files are removed, and no
 * file is removed that a plan in the making counts on. On a file system without locks nobody waits. */
#ifndef REPRISE_PLAN_LOCK_H
#define REPRISE_PLAN_LOCK_H

#include "message.h"

enum plan_lock_kind { PLAN_LOCK_SHARED, PLAN_LOCK_ALONE };

/* Waits for the lock. 0, or -1 with `why` if there is no plan folder. */
int plan_lock(const char *work, enum plan_lock_kind kind, struct reason *why) __attribute__((warn_unused_result));

#endif
