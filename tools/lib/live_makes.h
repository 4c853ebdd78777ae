/* The makefiles that plan writes for each make, WORK_DIR/plan/plan-<process>.mk, on this machine. */
#ifndef REPRISE_LIVE_MAKES_H
#define REPRISE_LIVE_MAKES_H

/* Whether a makefile of this name, "plan-<process>.mk", is of a make that is gone. */
int is_dead_makefile(const char *name);

#endif
