# Fuzzing: tests/fuzz/NAME.c is a target. `make fuzz` builds each with clang, libFuzzer, ASan and UBSan, and runs all of them for FUZZ_SECONDS, or FUZZ_RUNS times;
# `make fuzz-replay` builds each without libFuzzer, with the compiler at hand: tests/fuzz.bats runs those on the findings of earlier runs.
#
# What a run finds lands in build/fuzz/findings/NAME; once the fault is mended it moves to tests/fixtures/fuzz/NAME. The corpus that grows from run to run
# is build/fuzz/corpus/NAME; it starts from the fixtures and from ../shared/corpus.

FUZZ_SECONDS ?= 60
FUZZ_RUNS ?= 0
FUZZ_TARGETS := $(filter-out large_tables memory_files replay smf_mutator tokenizers,$(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c)))
FUZZ_MIDI := $(filter reader tokens,$(FUZZ_TARGETS)) # those whose input is MIDI
FUZZ_CFLAGS = -std=gnu11 -D_GNU_SOURCE -DREPRISE_VERSION='"$(VERSION)"' -O2 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
  -fno-omit-frame-pointer
FUZZ_QUICK := -fno-sanitize-coverage=trace-cmp # half the time; the mutator knows what values matter
F := build/fuzz

.PHONY: fuzz fuzz-programs fuzz-replay $(FUZZ_TARGETS:%=fuzz-%)
fuzz:
	@setup/install-packages setup/packages-build.txt setup/packages-fuzz.txt
	@$(MAKE) --no-print-directory $(FUZZ_TARGETS:%=fuzz-%)

fuzz-programs: $(FUZZ_TARGETS:%=$(F)/%)

# Small inputs run fast, and find as much; what large ones do is for tests/bounds.bats. Seeds that are larger would be cut, so they are left out.
FUZZ_LENGTH := 1024
# All checks are on; what costs time alone is not: stacks of allocations (replaying a finding shows them), a large quarantine, a search for leaks after each run instead of at the end.
FUZZ_ASAN := allocator_may_return_null=1:detect_leaks=1:malloc_context_size=0:quarantine_size_mb=1:thread_local_quarantine_size_kb=64:max_malloc_fill_size=256
fuzz_limit = $(if $(filter-out 0,$(FUZZ_RUNS)),-runs=$(FUZZ_RUNS),-max_total_time=$(FUZZ_SECONDS))
fuzz_seeds = $(wildcard tests/fixtures/fuzz/$* $(if $(filter $*,$(FUZZ_MIDI)),../shared/corpus/valid ../shared/corpus/conformance ../shared/corpus/broken))

$(FUZZ_TARGETS:%=fuzz-%): fuzz-%: $(F)/%
	@rm -rf $(F)/seeds/$*; mkdir -p $(F)/corpus/$* $(F)/findings/$* $(F)/seeds/$*
	@find $(or $(fuzz_seeds),/dev/null) -type f -size -$$(($(FUZZ_LENGTH) + 1))c -exec cp -t $(F)/seeds/$* {} +
	@status=0; ASAN_OPTIONS=$(FUZZ_ASAN) $< $(fuzz_limit) -max_len=$(FUZZ_LENGTH) -timeout=10 -rss_limit_mb=1024 -detect_leaks=0 -reload=0 \
	    $(patsubst %,-dict=%,$(wildcard tests/fuzz/$*.dict)) -print_final_stats=1 -artifact_prefix=$(F)/findings/$*/ $(F)/corpus/$* $(F)/seeds/$* >$(F)/$*.log 2>&1 || status=$$?; \
	  runs=$$(sed -n 's/^stat::number_of_executed_units: *//p' $(F)/$*.log); \
	  if [ $$status -eq 0 ]; then printf '%s: %s runs, no finding\n' $* "$$runs"; \
	  else printf '%s: FOUND something, see %s and %s\n' $* $(F)/$*.log $(F)/findings/$*; exit 1; fi

$(F)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CLANG,$<)
	$(Q)clang $(FUZZ_CFLAGS) $(OBJECT_CFLAGS) -fsanitize=fuzzer-no-link $(FUZZ_QUICK) -MMD -MP -c $< -o $@

$(F)/tools/lib/smf_chunk.o: OBJECT_CFLAGS = $(SMF_CFLAGS)
FUZZ_LIBRARY := $(F)/libreprise.a
$(FUZZ_LIBRARY): $(patsubst %.c,$(F)/%.o,$(wildcard tools/lib/*.c))
	@rm -f $@
	$(Q)ar rcs $@ $^
FUZZ_TOKENIZERS := $(filter tokens decoder trained,$(FUZZ_TARGETS))
FUZZ_FILES := $(filter pairs shard model_%,$(FUZZ_TARGETS)) # those that read files: from memory, as tests/fuzz/memory_files.h says
FUZZ_MODELS := $(filter model_config model_tokenizer,$(FUZZ_TARGETS)) # those with a text tokenizer
FUZZ_WRAPS := $(addprefix -Wl$(comma)--wrap=,open_regular whole_file_read model_has_file mmap munmap close fdopen)
$(FUZZ_MIDI:%=$(F)/%): $(F)/tests/fuzz/smf_mutator.o
$(FUZZ_TOKENIZERS:%=$(F)/%): $(F)/tests/fuzz/tokenizers.o
$(FUZZ_FILES:%=$(F)/%): $(F)/tests/fuzz/memory_files.o
$(FUZZ_MODELS:%=$(F)/%): $(F)/tests/fuzz/large_tables.o
$(FUZZ_FILES:%=$(F)/%) $(FUZZ_FILES:%=$(B)/fuzz/%): FUZZ_LDFLAGS = $(FUZZ_WRAPS)
$(FUZZ_MODELS:%=$(F)/%): FUZZ_LDFLAGS = $(FUZZ_WRAPS) $(addprefix -Wl$(comma)--wrap=,calloc free)
$(FUZZ_TARGETS:%=$(F)/%): $(F)/%: $(F)/tests/fuzz/%.o $(FUZZ_LIBRARY)
	$(call say,LINK,$@)
	$(Q)clang $(FUZZ_CFLAGS) -fsanitize=fuzzer $(filter %.o,$^) $(FUZZ_LDFLAGS) $(FUZZ_LIBRARY) $(LIBS) $(SMF_LIBS) -o $@

fuzz-replay: $(FUZZ_TARGETS:%=$(B)/fuzz/%)
$(FUZZ_TOKENIZERS:%=$(B)/fuzz/%): $(B)/tests/fuzz/tokenizers.o
$(FUZZ_FILES:%=$(B)/fuzz/%): $(B)/tests/fuzz/memory_files.o
$(FUZZ_TARGETS:%=$(B)/fuzz/%): $(B)/fuzz/%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/replay.o $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(filter %.o,$^) $(FUZZ_LDFLAGS) $(LIBRARY) $(LIBS) $(SMF_LIBS) -o $@

-include $(wildcard $(F)/tools/lib/*.d $(F)/tests/fuzz/*.d $(B)/tests/fuzz/*.d)
