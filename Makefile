# Reprise: the front door. The user's variables, building the programs, set-up and tests; the data graph is in rules.mk.
VERSION := 0.1.0

MAKEFLAGS += -rR
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.SUFFIXES:
.DELETE_ON_ERROR:

.DEFAULT_GOAL := all

# ---- building the programs: build/$(BUILD)/NAME from tools/NAME.c, tools/lib and kernels ----
BUILD ?= release
CC := gcc
B := build/$(BUILD)
V ?= 0
Q := $(if $(filter 0,$(V)),@)

cflags.release := -O2 -g
cflags.debug := -O0 -g3
cflags.asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
cflags.tsan := -O1 -g -fsanitize=thread
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Werror
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -DREPRISE_VERSION='"$(VERSION)"' -fno-fast-math $(WARNINGS) $(cflags.$(BUILD)) $(CFLAGS)
ALL_LDFLAGS = $(cflags.$(BUILD)) $(LDFLAGS)
CFLAGS ?=
LDFLAGS ?=

PROGRAMS := $(patsubst tools/%.c,%,$(wildcard tools/*.c))
TEST_PROGRAMS := $(patsubst tests/%.c,%,$(wildcard tests/*.c))
LIBRARY := $(B)/libreprise.a
LIBRARY_OBJECTS := $(patsubst %.c,$(B)/%.o,$(wildcard tools/lib/*.c))
KERNELS := $(B)/libkernels.a
KERNEL_OBJECTS := $(patsubst %.c,$(B)/%.o,$(wildcard kernels/cpu/*.c))
-include kernels/kernels.mk

ENCODING := text2emb $(filter kernels%,$(TEST_PROGRAMS)) # what links the encoder

.PHONY: programs test-programs
programs: $(PROGRAMS:%=$(B)/%)
test-programs: $(TEST_PROGRAMS:%=$(B)/tests/%)

# The compiler and its flags are part of the graph: this file changes when they do, and with it all that was built.
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@flags="$$(printf '%s\n' $(call quote,$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)); $(CC) --version | head -1)"; \
	  [ "$$(cat $@ 2>/dev/null)" = "$$flags" ] || printf '%s\n' "$$flags" >$@
.PHONY: FORCE
quote = '$(subst ','\'',$(1))'

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	@$(if $(filter 0,$(V)),echo '  CC      $<')
	$(Q)$(CC) $(ALL_CFLAGS) $(OBJECT_CFLAGS) -MMD -MP -c $< -o $@

$(LIBRARY): $(LIBRARY_OBJECTS)
$(KERNELS): $(KERNEL_OBJECTS)
$(LIBRARY) $(KERNELS):
	@rm -f $@
	$(Q)ar rcs $@ $^

LIBS = -lcjson -lxxhash -lutf8proc -lm
$(ENCODING:%=$(B)/%) $(ENCODING:%=$(B)/tests/%): LIBS += -ldnnl -lgomp
$(ENCODING:%=$(B)/%) $(ENCODING:%=$(B)/tests/%): $(KERNELS)
$(PROGRAMS:%=$(B)/%): $(B)/%: $(B)/tools/%.o $(LIBRARY)
$(TEST_PROGRAMS:%=$(B)/tests/%): $(B)/tests/%: $(B)/tests/%.o $(LIBRARY)
$(PROGRAMS:%=$(B)/%) $(TEST_PROGRAMS:%=$(B)/tests/%):
	@$(if $(filter 0,$(V)),echo '  LINK    $@')
	$(Q)$(CC) $(ALL_LDFLAGS) $(filter %.o,$^) $(filter %/libkernels.a,$^) $(LIBRARY) $(LIBS) -o $@

-include $(wildcard $(B)/tools/*.d $(B)/tools/lib/*.d $(B)/kernels/cpu/*.d $(B)/tests/*.d)
