# Fuzzing: tests/fuzz/NAME.c is a target. `make fuzz` builds each with clang, libFuzzer, ASan and UBSan, and runs all of them for FUZZ_SECONDS;
# `make fuzz-replay` builds each without libFuzzer, with the compiler at hand: tests/fuzz.bats runs those on the findings of earlier runs.
#
# What a run finds lands in build/fuzz/findings/NAME; once the fault is mended it moves to tests/fixtures/fuzz/NAME. The corpus that grows from run to run
# is build/fuzz/corpus/NAME; it starts from the fixtures and from ../shared/corpus.

FUZZ_SECONDS ?= 60
FUZZ_TARGETS := $(filter-out replay smf_mutator tokenizers,$(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c)))
FUZZ_MIDI := $(filter reader tokens,$(FUZZ_TARGETS)) # those whose input is MIDI
FUZZ_CFLAGS = -std=gnu11 -D_GNU_SOURCE -DREPRISE_VERSION='"$(VERSION)"' -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
  -fno-omit-frame-pointer
FUZZ_QUICK := -fno-sanitize-coverage=trace-cmp # half the time; the mutator knows what values matter
F := build/fuzz

.PHONY: fuzz fuzz-programs fuzz-replay $(FUZZ_TARGETS:%=fuzz-%)
fuzz:
	@setup/install-packages setup/packages-build.txt setup/packages-fuzz.txt
	@$(MAKE) --no-print-directory $(FUZZ_TARGETS:%=fuzz-%)

fuzz-programs: $(FUZZ_TARGETS:%=$(F)/%)

# A target's inputs are no larger than 4 KB, but for those in the corpus: small ones run fast, and find as much.
$(FUZZ_TARGETS:%=fuzz-%): fuzz-%: $(F)/%
	@mkdir -p $(F)/corpus/$* $(F)/findings/$*
	@seeds=(); for folder in tests/fixtures/fuzz/$* $(if $(filter $*,$(FUZZ_MIDI)),../shared/corpus/{valid,conformance,broken}); do \
	    [ ! -d "$$folder" ] || seeds+=("$$folder"); done; \
	  status=0; ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1 $< -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10 -rss_limit_mb=1024 \
	    -print_final_stats=1 -artifact_prefix=$(F)/findings/$*/ $(F)/corpus/$* "$${seeds[@]}" >$(F)/$*.log 2>&1 || status=$$?; \
	  runs=$$(sed -n 's/^stat::number_of_executed_units: *//p' $(F)/$*.log); \
	  if [ $$status -eq 0 ]; then printf '%s: %s runs, no finding\n' $* "$$runs"; \
	  else printf '%s: FOUND something, see %s and %s\n' $* $(F)/$*.log $(F)/findings/$*; exit 1; fi

$(F)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CLANG,$<)
	$(Q)clang $(FUZZ_CFLAGS) $(OBJECT_CFLAGS) -fsanitize=fuzzer-no-link $(FUZZ_QUICK) -MMD -MP -c $< -o $@

$(F)/tools/lib/smf_chunk.o: OBJECT_CFLAGS = $(SMF_CFLAGS)
FUZZ_LIBRARY := $(patsubst %.c,$(F)/%.o,$(wildcard tools/lib/*.c))
FUZZ_TOKENIZERS := $(filter tokens decoder,$(FUZZ_TARGETS))
$(FUZZ_MIDI:%=$(F)/%): $(F)/tests/fuzz/smf_mutator.o
$(FUZZ_TOKENIZERS:%=$(F)/%): $(F)/tests/fuzz/tokenizers.o
$(FUZZ_TARGETS:%=$(F)/%): $(F)/%: $(F)/tests/fuzz/%.o $(FUZZ_LIBRARY)
	$(call say,LINK,$@)
	$(Q)clang $(FUZZ_CFLAGS) -fsanitize=fuzzer $^ $(LIBS) $(SMF_LIBS) -o $@

fuzz-replay: $(FUZZ_TARGETS:%=$(B)/fuzz/%)
$(FUZZ_TOKENIZERS:%=$(B)/fuzz/%): $(B)/tests/fuzz/tokenizers.o
$(FUZZ_TARGETS:%=$(B)/fuzz/%): $(B)/fuzz/%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/replay.o $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(filter %.o,$^) $(LIBRARY) $(LIBS) $(SMF_LIBS) -o $@

-include $(wildcard $(F)/tools/lib/*.d $(F)/tests/fuzz/*.d $(B)/tests/fuzz/*.d)
