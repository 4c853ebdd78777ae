# Reprise: the front door. The user's variables and goals, building the programs, set-up and tests; the data graph is in rules.mk.
VERSION := 0.1.0

ifeq ($(filter oneshell,$(.FEATURES)),)
$(error Reprise needs GNU Make 4.3 or newer; this is $(MAKE_VERSION))
endif
$(if $(wildcard rules.mk),,$(error Reprise is made in its own folder: make -C $(dir $(lastword $(MAKEFILE_LIST))) …))
MAKEFLAGS += -rR
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
.PHONY: FORCE

# ---- the user's variables: `make NAME=value`, or the environment ----
INPUT ?= data/demo/pairs.json
OUTPUT_DIR ?= data/processed
WORK_DIR ?= data/work
MODEL ?= data/models/all-MiniLM-L6-v2
WORKERS ?= 4
USE_GPU ?= 0
REQUIRE_GPU ?= 0
BATCH_SIZE ?= 32
CHECKPOINT_INTERVAL ?= 10
TOKENIZER ?= REMI
TOKENIZER_CONFIG ?=
LENIENT ?= 0
PRECISION ?= f32
POOLING ?=
NORMALIZE ?=
PROMPT ?=
TRUNCATE_DIM ?=
TEXT_OUTPUT ?= embeddings
EMBEDDING_TYPE ?= f32
MIDI_FIELD ?=
TEXT_FIELD ?=
STRICT ?= 0
LOG_LEVEL ?= info
FSYNC ?= 0
USE_CACHE ?= 0
CACHE_DIR ?= data/cache
CACHE_SIZE ?=
# (FILE from the command line alone: an environment may have one that means something else.)
FILE :=
ITEM_TIMEOUT ?= 60
ITEM_MEMORY ?= 0
BUILD ?= release
V ?= 0

# File names are taken as they stand (a `$` in one is a `$`), and reach programs through the environment, so any name will do.
paths := INPUT OUTPUT_DIR MODEL CACHE_DIR FILE TOKENIZER_CONFIG PROMPT MIDI_FIELD TEXT_FIELD
$(foreach name,$(paths),$(eval override $(name) := $$(value $(name))))
export ITEM_TIMEOUT ITEM_MEMORY
export TOKENIZER TOKENIZER_CONFIG LENIENT PRECISION POOLING NORMALIZE PROMPT TRUNCATE_DIM TEXT_OUTPUT EMBEDDING_TYPE USE_CACHE CACHE_DIR CACHE_SIZE FILE
export INPUT OUTPUT_DIR MODEL BATCH_SIZE CHECKPOINT_INTERVAL MIDI_FIELD TEXT_FIELD LOG_LEVEL FSYNC

# WORK_DIR becomes part of Make's own target names, which cannot hold these.
unusable := : ; & | < > ( ) [ ] * ? ' " ` \ % ~ $$ \#
$(if $(and $(filter 1,$(words $(WORK_DIR))),$(if $(strip $(filter -%,$(WORK_DIR)) $(foreach c,$(unusable),$(findstring $(c),$(WORK_DIR)))),,yes)),,\
  $(error WORK_DIR=$(WORK_DIR): must be one word of plain characters, because Make names its targets after it))

# An empty name is most likely a shell variable that was never set, and OUTPUT_DIR would be the root folder.
$(foreach name,INPUT OUTPUT_DIR MODEL CACHE_DIR,$(if $(strip $($(name))),,$(error $(name) is empty)))

# What stands between single quotes in commands.
$(foreach name,TOKENIZER BATCH_SIZE CHECKPOINT_INTERVAL POOLING NORMALIZE TRUNCATE_DIM,$(if $(findstring ',$($(name))),$(error $(name)=$($(name)): must not hold a quote)))
digits := $(WORKERS)
$(foreach digit,1 2 3 4 5 6 7 8 9,$(eval digits := $(subst $(digit),0,$(digits))))
$(if $(and $(filter 1,$(words $(WORKERS))),$(filter 0 00 000 0000,$(digits)),$(filter-out 0%,$(WORKERS))),,\
  $(error WORKERS=$(WORKERS): must be a whole number from 1 to 9999))

one_of = $(if $(and $(filter 1,$(words $($(1)))),$(filter $(2),$($(1)))),,$(error $(1)=$($(1)): unknown; it is one of $(2)))
$(foreach name,USE_GPU REQUIRE_GPU STRICT LENIENT FSYNC USE_CACHE V,$(call one_of,$(name),0 1))
$(call one_of,PRECISION,f32 f16 bf16 int8)$(call one_of,TEXT_OUTPUT,embeddings tokens ids)$(call one_of,EMBEDDING_TYPE,f32 f16)
$(call one_of,BUILD,release debug asan tsan)$(call one_of,LOG_LEVEL,debug info warning error critical)

MIDI2TOK = $(B)/midi2tok --tokenizer '$(TOKENIZER)' $(if $(TOKENIZER_CONFIG),--config "$$TOKENIZER_CONFIG") $(if $(filter 1,$(LENIENT)),--lenient) --batch-size '$(BATCH_SIZE)'
TEXT2EMB = $(B)/text2emb --model "$$MODEL" --precision '$(PRECISION)' --batch-size '$(BATCH_SIZE)' \
  $(if $(POOLING),--pooling '$(POOLING)') $(if $(NORMALIZE),--normalize '$(NORMALIZE)') $(if $(PROMPT),--prompt "$$PROMPT") \
  $(if $(TRUNCATE_DIM),--truncate-dim '$(TRUNCATE_DIM)') --output '$(TEXT_OUTPUT)' --type '$(EMBEDDING_TYPE)' $(if $(filter 1,$(REQUIRE_GPU)),--require-gpu)
# Where embeddings are computed decides nothing but what a precision means: a CPU that lacks it computes in a higher one, on a GPU it is what it says.
TEXT2EMB_SIGNATURE = $(TEXT2EMB) $(if $(filter 1,$(USE_GPU)),$(if $(filter f16 bf16,$(PRECISION)),--gpu 0))
override USE_GPU := $(if $(filter 1,$(REQUIRE_GPU)),1,$(USE_GPU))

# ---- goals ----
build_goals := all continue
look_goals := partial checkpoint import status why verify gc
data_goals = $(build_goals) $(look_goals)
goals := $(or $(MAKECMDGOALS),all)

$(if $(and $(filter clean distclean,$(goals)),$(filter-out clean distclean,$(goals))),$(error make $(goals): clean goes alone (make clean && make …), or say make restart))
$(if $(and $(filter $(build_goals) restart,$(goals)),$(filter $(look_goals),$(goals))),$(error make $(goals): these go one after the other (make && make …)))

# `-jN` on the command line wins over WORKERS; a make started by another make shares that one's jobs.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(WORKERS)
endif

ifneq ($(filter $(data_goals),$(goals)),)
# One broken shard does not keep the others from being built.
MAKEFLAGS += -k
export PROGRESS_FILE := $(WORK_DIR)/progress
DATA_PROGRAMS = $(addprefix $(B)/,plan midi2tok text2emb combine stats)
endif

define HELP
Reprise turns a list of MIDI files with captions into a training-ready dataset.

  make demo                    install what is missing, fetch the default model and demo MIDI files, build the demo dataset
  make INPUT=pairs.json        build a dataset of your own; killed or failed, the same command goes on where it stopped
  make -j8                     the same, eight jobs at a time

Goals
  all, continue    build what is missing (the default)
  partial          join and count what is finished so far: OUTPUT_DIR/*.partial.*
  checkpoint       write what is finished as JSON checkpoints, in the form of the earlier Python system
  import           take over what JSON checkpoints hold, these or the earlier system's
  restart          clean, then all
  status           what is finished, missing and stale, speed, time to finish, disk use
  why              what would be rebuilt and why; FILE=song.mid: for this file
  verify           read everything again and check it, against its checksums and against the inputs
  gc               remove work files that the present INPUT and settings do not need
  cache-gc         make CACHE_DIR no larger than CACHE_SIZE (say, 10G), what was not used for longest goes first
  clean            remove the work files and the outputs (not the model)
  distclean        remove also the programs, the model, the demo files and the peers
  setup            install what building and the demo take; silent when nothing is missing
  demo             setup, then all with the demo's pairs
  test             install what the tests take and run them all (TESTS='tests/edits.bats …' for some)
  torture          the full sweeps of kills, failing calls, damaged files and hostile places (an hour or so; SWEEPS='kills …' for some)
  parity           compare with the reference implementations (MidiTok, tokenizers, sentence-transformers), in a venv of their own
  bench            time against the fastest peers, side by side (BENCH="minilm caption int8 1" for some)
  fuzz             feed made-up files to every reader for FUZZ_SECONDS [60] each, or FUZZ_RUNS times, under sanitizers
  test-gpu, bench-gpu  what only a device shows; gpu-bundle: both as a folder to carry to one
  help             this text

Variables (make NAME=value, or the environment)
  INPUT                the pairs: a JSON list, {"pairs": […]}, or JSON lines   [data/demo/pairs.json]
  OUTPUT_DIR           where the dataset goes                                 [data/processed]
  WORK_DIR             finished shards; keep it and nothing is done twice     [data/work]
  WORKERS              jobs at a time; -jN wins                               [4]
  BATCH_SIZE           pairs in a batch: one forward pass, one step of progress  [32]
  CHECKPOINT_INTERVAL  batches in a shard, at most; a shard is a checkpoint   [10]
  MIDI_FIELD           key of the MIDI path in INPUT                          [midi_file, midi_path]
  TEXT_FIELD           key of the caption in INPUT                            [text_description, text]
  TOKENIZER            how MIDI becomes tokens: REMI, REMIPlus, TSD, MIDILike, Structured, CPWord, Octuple, MuMIDI, MMM, PerTok, AMT  [REMI]
  TOKENIZER_CONFIG     a tokenizer.json of MidiTok's (or of midi2tok --save-config): all options; wins over TOKENIZER
  LENIENT              1: of a damaged MIDI file take what stands before the fault, and mark it  [0]
  MODEL                folder of a sentence encoder                           [data/models/all-MiniLM-L6-v2]
  POOLING, NORMALIZE   override what the model's own files say: cls, mean, max …; 0 or 1
  PROMPT               put before every text: a prompt of the model's by its name, or any text
  TRUNCATE_DIM         keep so many numbers of an embedding                   [all]
  TEXT_OUTPUT          embeddings, tokens (the states of every token), or ids [embeddings]
  EMBEDDING_TYPE       f32, or f16: half the size in the shards               [f32]
  PRECISION            f32, bf16, int8 (a GPU: f16, bf16): less exact and faster, see README  [f32]
  USE_GPU              1: embed on the GPUs that are there; none: a warning, then the CPU  [0]
  REQUIRE_GPU          1: the same, and no GPU is an error                    [0]
  MIDI_CHECKPOINT, TEXT_CHECKPOINT, PROCESSING_CHECKPOINT
                       the JSON checkpoints of checkpoint and import          [midi_checkpoint.json … in OUTPUT_DIR]
  STRICT               1: a quarantined item fails the run, after all else is done  [0]
  LOG_LEVEL            debug, info, warning, error, critical                  [info]
  ITEM_TIMEOUT         seconds of processor time that one file or text may take; 0: no limit  [60]
  ITEM_MEMORY          memory that a job may take beyond its start (500M, 2G); 0: no limit  [0]
  FSYNC                1: every finished file is synced to the disk at once   [0]
  USE_CACHE            1: keep finished shards in CACHE_DIR too, and take them from there [0]
  CACHE_DIR            survives `make clean`; people and machines may share it  [data/cache]
  BUILD                release, debug, asan, tsan: each in a folder of its own  [release]
  V                    1: show the commands                                   [0]
endef
export HELP

.PHONY: help setup demo restart clean distclean test torture parity bench
help:
	@echo "$$HELP"

setup:
	@setup/install-packages setup/packages-build.txt setup/packages-demo.txt
	@setup/fetch-model all-MiniLM-L6-v2 data/models/all-MiniLM-L6-v2
	@setup/fetch-demo-midi data/demo/midi

# Packages must be there before the programs can be built, so these go in two steps.
demo:
	@$(MAKE) --no-print-directory setup
	@$(MAKE) --no-print-directory all INPUT=data/demo/pairs.json

# Tests run on what the set-up has installed; TESTS: only these files.
test:
	@setup/install-packages setup/packages-build.txt setup/packages-demo.txt setup/packages-test.txt
	@$(MAKE) --no-print-directory setup
	@$(MAKE) --no-print-directory programs test-programs
	@BUILD=$(BUILD) tests/run $(TESTS)

torture: programs
	@BUILD=$(BUILD) tests/torture/run $(SWEEPS)

# The reference implementations come from PyPI, pinned, into a venv that nothing else uses.
PEERS ?= data/peers
parity bench: programs test-programs
	@setup/install-packages setup/packages-parity.txt
	@setup/fetch-peers setup/requirements-peers.txt "$(PEERS)"
	@setup/fetch-model all-mpnet-base-v2 data/models/all-mpnet-base-v2
	@BUILD=$(BUILD) PEERS="$(PEERS)" tests/$@/run

# Nothing is removed for an INPUT or settings that nothing can be built from.
restart:
	@$(MAKE) --no-print-directory -q all >/dev/null || [ $$? -eq 1 ]
	@$(MAKE) --no-print-directory clean
	@$(MAKE) --no-print-directory all

MADE := processed_data.json errors.jsonl processing_stats.json processed_data.partial.json errors.partial.jsonl processing_stats.partial.json
# Only what Reprise makes: the folders are the user's, and may hold other things. Not beneath a build, which holds the lock (tools/lib/build_lock.h).
clean:
	@if [ -f $(WORK_DIR)/lock ]; then \
	  exec 9<$(WORK_DIR)/lock; taken=0; flock -w 0.5 -E 75 9 2>/dev/null || taken=$$?; \
	  [ $$taken -ne 75 ] || { echo "make: $(WORK_DIR): $$(head -c 200 $(WORK_DIR)/lock) works there; stop it or wait until it is done" >&2; exit 1; }; \
	fi; rm -rf $(addprefix $(WORK_DIR)/,plan tok emb pieces progress journal lock .reprise-*)
	@rm -f -- $(foreach f,$(MADE),"$$OUTPUT_DIR"/{$(f),$(f).bak}) "$$OUTPUT_DIR"/.record "$$OUTPUT_DIR"/.reprise-*
	@rmdir -- $(WORK_DIR) "$$OUTPUT_DIR" 2>/dev/null || true

distclean: clean
	@rm -rf build data/models data/demo/midi data/peers

# ---- building the programs: build/$(BUILD)/NAME from tools/NAME.c, tools/lib and kernels ----
CC := gcc
CXX := $(if $(findstring clang,$(CC)),clang++,g++)
comma := ,
B := build/$(BUILD)
Q := $(if $(filter 0,$(V)),@)
say = @$(if $(filter 0,$(V)),printf '  %-7s %s\n' $(1) $(2),:)

cflags.release := -O2 -g
cflags.debug := -O0 -g3
cflags.asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
cflags.tsan := -O1 -g -fsanitize=thread
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Werror
CFLAGS ?=
LDFLAGS ?=
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -DREPRISE_VERSION='"$(VERSION)"' $(WARNINGS) $(cflags.$(BUILD)) $(CFLAGS)
ALL_LDFLAGS = $(cflags.$(BUILD)) $(LDFLAGS)

PROGRAMS := $(patsubst tools/%.c,%,$(wildcard tools/*.c))
TEST_PROGRAMS := $(patsubst tests/%.c,%,$(wildcard tests/*.c))
LIBRARY := $(B)/libreprise.a
LIBRARY_OBJECTS := $(patsubst %.c,$(B)/%.o,$(wildcard tools/lib/*.c))
KERNEL_LIBRARY := $(B)/libkernels.a
KERNEL_OBJECTS := $(patsubst %.c,$(B)/%.o,$(wildcard kernels/*.c kernels/cpu/*.c))
-include kernels/kernels.mk
include kernels/cuda/cuda.mk tests/gpu/gpu.mk
ENCODING := $(B)/text2emb $(patsubst %,$(B)/tests/%,$(filter kernels%,$(TEST_PROGRAMS))) # what links the encoder

.PHONY: programs test-programs
programs: $(PROGRAMS:%=$(B)/%) $(CUDA_LIBRARY)
test-programs: $(TEST_PROGRAMS:%=$(B)/tests/%) $(SHIM_PROGRAMS)

# What building needs, checked once per build folder: plain make installs nothing, it names what is missing.
$(B)/checked: setup/check-build
	@mkdir -p $(@D)
	@CC='$(CC)' setup/check-build
	@touch $@

# The compiler and its flags are part of the graph: this file changes when they do, and with it all that was built.
$(B)/flags: FORCE | $(B)/checked
	@flags="$$(printf '%s\n' $(call quote,$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)); $(CC) --version | head -1)"; \
	  [ "$$(cat $@ 2>/dev/null)" = "$$flags" ] || printf '%s\n' "$$flags" >$@
quote = '$(subst ','\'',$(1))'

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(OBJECT_CFLAGS) -MMD -MP -c $< -o $@

$(LIBRARY): $(LIBRARY_OBJECTS)
$(KERNEL_LIBRARY): $(KERNEL_OBJECTS)
$(LIBRARY) $(KERNEL_LIBRARY):
	@rm -f $@
	$(Q)ar rcs $@ $^

LIBS = -lcjson -lxxhash -lutf8proc -lz -lm -ldl -lpthread
# libsmf writes MIDI files. Its header takes glib's, which are no part of this project: no warnings of them.
SMF_CFLAGS = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags smf))
SMF_LIBS := -lsmf -lglib-2.0
$(B)/tools/lib/smf_chunk.o: OBJECT_CFLAGS = $(SMF_CFLAGS)
$(B)/tok2midi: LIBS += $(SMF_LIBS)
$(ENCODING): $(KERNEL_LIBRARY)
$(PROGRAMS:%=$(B)/%): $(B)/%: $(B)/tools/%.o $(LIBRARY)
$(TEST_PROGRAMS:%=$(B)/tests/%): $(B)/tests/%: $(B)/tests/%.o $(LIBRARY)
$(PROGRAMS:%=$(B)/%) $(TEST_PROGRAMS:%=$(B)/tests/%):
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(filter %.o,$^) -Wl,--start-group $(filter %/libkernels.a,$^) $(LIBRARY) -Wl,--end-group $(LIBS) -o $@

-include $(wildcard $(B)/tools/*.d $(B)/tools/lib/*.d $(B)/kernels/*.d $(B)/kernels/cpu/*.d $(B)/tests/*.d)

# ---- the data graph ----
ifneq ($(filter $(data_goals),$(goals)),)
include rules.mk
ifneq ($(OUTPUTS_HASH),)
include checkpoints.mk inspect.mk
endif
endif
include cache.mk
include fuzz.mk
