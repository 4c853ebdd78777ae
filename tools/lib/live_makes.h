/* The makes at work on a WORK_DIR, on this machine: each has a plan makefile of its own there, plan/plan-<process>.mk, whose first line says whether
 * it builds or only looks. */
#ifndef REPRISE_LIVE_MAKES_H
#define REPRISE_LIVE_MAKES_H

/* The process of a make that builds, 0 if there is none. */
long live_build(const char *work);
/* Whether a makefile of this name, "plan-<process>.mk", is of a make that is gone. */
int is_dead_makefile(const char *name);

#endif
