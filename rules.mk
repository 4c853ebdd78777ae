# The data graph, and nothing else. A target's name is the hash of everything that decides its content, so the only question is
# whether it exists: all prerequisites are order-only, and time stamps decide nothing.
#
#   INPUT ── plan ──► plan/*.midi ── midi2tok ──► tok/<signature>/*.tok ──┐
#                     plan/*.text ── text2emb ──► emb/<signature>/*.emb ──┴─ combine ──► pieces/*.piece ──► OUTPUT_DIR
#                     plan/*.pairs ──────────────────────────────────────────┘          (combine --assemble, stats)

PLAN := $(WORK_DIR)/plan
TOK_DIR = $(WORK_DIR)/tok/$(TOK_SIGNATURE)
EMB_DIR = $(WORK_DIR)/emb/$(EMB_SIGNATURE)
OUTPUT_FILES := processed_data.json errors.jsonl processing_stats.json

# The settings whose values are recorded, with what depends on them (tokens, embeddings, what a limit kept out, or the plan itself): `make why` compares them by name.
RECORDED := $(addprefix tok:,TOKENIZER TOKENIZER_CONFIG LENIENT) \
  $(addprefix emb:,MODEL PRECISION POOLING NORMALIZE PROMPT TRUNCATE_DIM TEXT_OUTPUT EMBEDDING_TYPE KERNELS) \
  $(addprefix limits:,ITEM_TIMEOUT ITEM_MEMORY) \
  $(addprefix plan:,INPUT BATCH_SIZE CHECKPOINT_INTERVAL MIDI_FIELD TEXT_FIELD OUTPUT_DIR)

# plan's makefile holds the pieces, what each is made of, and the two signatures. Every make plans anew, before anything else, and has a
# file of its own for it (named after the process, which stays the same when Make starts itself again): the plan of an earlier run is never used, not
# even if planning fails, and makes side by side do not meet.
MAKE_PROCESS := $(shell echo $$PPID)
PLAN_MK := $(PLAN)/plan-$(MAKE_PROCESS).mk
# What the user asks of Make, read here and now, because Make takes -n, -q and -t away while it makes its makefiles: -n and -q only ask what a build would do;
# -B makes everything anew; -t would write empty files under names that promise contents.
flags := $(filter-out -%,$(firstword $(MAKEFLAGS)))
$(if $(findstring t,$(flags)),$(error make -t: a work file that is only touched would be taken for finished; nothing was done))
building := $(if $(findstring n,$(flags))$(findstring q,$(flags)),,$(filter $(build_goals),$(goals)))
anew := $(findstring B,$(flags))
ifndef MAKE_RESTARTS
$(shell rm -f $(PLAN_MK))
$(PLAN_MK): $(DATA_PROGRAMS) FORCE | $(if $(filter 1,$(USE_GPU)),$(CUDA_LIBRARY))
	@[ -d "$$MODEL" ] || { echo "make: MODEL=$$MODEL: no such folder; run 'make setup' for the default model" >&2; exit 1; }
	@[ ! "$$INPUT" -ef "$$OUTPUT_DIR/processed_data.json" ] || { echo "make: INPUT=$$INPUT: the output would take its place; set another OUTPUT_DIR" >&2; exit 1; }
	@$(B)/plan --tok $(call quote,$(MIDI2TOK)) --emb $(call quote,$(TEXT2EMB_SIGNATURE)) --piece $(B)/combine \
	  $(DATA_PROGRAMS:%=--depends %) --depends "$$MODEL" $(if $(TOKENIZER_CONFIG),--depends "$$TOKENIZER_CONFIG") \
	  --batch-size "$$BATCH_SIZE" --checkpoint-interval "$$CHECKPOINT_INTERVAL" \
	  $(RECORDED:%=--setting %) --midi-field "$$MIDI_FIELD" --text-field "$$TEXT_FIELD" --output "$$OUTPUT_DIR" --output-settings '$(OUTPUT_FILES)' \
	  $(if $(building),--build-of $(MAKE_PROCESS),--look) $(if $(anew),--anew) --makefile $@ -- "$$INPUT" $(WORK_DIR)
endif
# (`-include`: where there is no plan, plan or the compiler has said why, and Make need not say it again.)
-include $(PLAN_MK)
ifeq ($(OUTPUTS_HASH),)
.PHONY: $(data_goals)
$(data_goals):
	$(error nothing was done)
else

$(TOK_DIR)/%.tok:
	$(Q)$(MIDI2TOK) $(if $(anew),,--reuse $(PLAN)/$*.midi-reuse) $(PLAN)/$*.midi $@

# With USE_GPU=1 one process a GPU makes all missing shards of texts, each written as it finishes; the jobs of midi2tok go on beside it. A shard waits for these
# processes (they are no targets of one grouped rule, which for n targets takes n² memory: 100 GB for 45,000), and is then there or has failed.
ifeq ($(USE_GPU)$(if $(building),build)$(if $(MAKE_RESTARTS),planned),1buildplanned)
missing_texts := $(if $(anew),$(sort $(TEXT_SHARDS)),$(filter-out $(patsubst $(EMB_DIR)/%.emb,%,$(wildcard $(EMB_DIR)/*.emb)),$(sort $(TEXT_SHARDS))))
ifneq ($(if $(OUTPUTS_CURRENT),,$(missing_texts)),)
gpu_count := $(shell export MODEL=$(call quote,$(MODEL)) LOG_LEVEL='$(LOG_LEVEL)'; $(TEXT2EMB) --gpus)
$(if $(gpu_count),,$(error stopped))
endif
endif
gpus := $(if $(filter-out 0,$(gpu_count)),$(wordlist 1,$(gpu_count),0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15))

ifneq ($(gpus),)
$(file >$(PLAN)/gpu.shards,$(missing_texts))
.PHONY: $(gpus:%=gpu-%)
# It names what failed by itself; the other shards are no worse for it.
$(gpus:%=gpu-%): gpu-%:
	$(Q)$(TEXT2EMB) --gpu $* --part $*/$(words $(gpus)) --expect $(EMB_SIGNATURE) --shards $(PLAN)/gpu.shards $(PLAN) $(EMB_DIR) || :

$(missing_texts:%=$(EMB_DIR)/%.emb): | $(gpus:%=gpu-%)
	$(Q)[ -e $@ ]
else
$(EMB_DIR)/%.emb:
	$(Q)$(TEXT2EMB) $(if $(anew),,--reuse $(PLAN)/$*.text-reuse) --expect $(EMB_SIGNATURE) $(PLAN)/$*.text $@
endif

$(WORK_DIR)/pieces/%.piece:
	$(Q)$(B)/combine --tok $(filter %.tok,$|) --emb $(filter %.emb,$|) $(PLAN)/$*.pairs $@

# One command, because stats says of what combine has written that it is complete: not after a failure, not even with -i.
.PHONY: outputs
outputs: $(PIECES)
	$(Q)$(B)/combine --assemble --pieces $(WORK_DIR)/pieces --outputs "$$OUTPUT_DIR" -- $(PLAN)/$(OUTPUTS_HASH).pieces "$$OUTPUT_DIR/processed_data.json" && \
	$(B)/stats --pieces $(WORK_DIR)/pieces --errors "$$OUTPUT_DIR/errors.jsonl" --work $(WORK_DIR) \
	  --record $(OUTPUTS_HASH) $(OUTPUT_FILES:%=--file %) -- $(PLAN)/$(OUTPUTS_HASH).pieces "$$OUTPUT_DIR/processing_stats.json"

# Outputs that hold what they should need nothing, not even a missing work file.
.PHONY: all continue
all continue: $(if $(OUTPUTS_CURRENT),,outputs)
ifeq ($(STRICT),1)
	@[ ! -s "$$OUTPUT_DIR/errors.jsonl" ] || { echo "make: STRICT=1: $$(wc -l <"$$OUTPUT_DIR/errors.jsonl") quarantined, see $$OUTPUT_DIR/errors.jsonl" >&2; exit 1; }
endif
endif
