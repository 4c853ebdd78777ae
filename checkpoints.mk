# Results before the end, and the JSON checkpoints of the earlier Python system, out and in. All of these read plan's record of the shards
# (WORK_DIR/plan/<hash>.plan) and what is finished; none of them builds a shard, or touches a running build.

PLAN_RECORD = $(PLAN)/$(OUTPUTS_HASH).plan
PARTIAL_FILES := processed_data.partial.json errors.partial.jsonl processing_stats.partial.json

.PHONY: partial drop-partial
partial:
ifeq ($(OUTPUTS_CURRENT),yes)
	@echo "make: nothing is missing: $$OUTPUT_DIR holds the complete result"
else
	$(Q)$(B)/combine --finished $(WORK_DIR) $(PLAN_RECORD) $(PLAN)/$(OUTPUTS_HASH).partial
	$(Q)$(B)/combine --assemble --pieces $(WORK_DIR)/pieces -- $(PLAN)/$(OUTPUTS_HASH).partial "$$OUTPUT_DIR/processed_data.partial.json"
	$(Q)$(B)/stats --partial $(PLAN_RECORD) --work $(WORK_DIR) --pieces $(WORK_DIR)/pieces --errors "$$OUTPUT_DIR/errors.partial.jsonl" \
	  -- $(PLAN)/$(OUTPUTS_HASH).partial "$$OUTPUT_DIR/processing_stats.partial.json"
endif

# A complete result leaves no partial one beside it: neither one that was made before it, nor one of settings that were left again.
ifeq ($(OUTPUTS_CURRENT),yes)
partial_left := $(if $(filter $(build_goals),$(goals)),$(shell cd -- $(call quote,$(OUTPUT_DIR)) && ls -d $(PARTIAL_FILES) $(PARTIAL_FILES:=.bak) 2>/dev/null))
else
partial_left := yes
drop-partial: outputs
endif
ifneq ($(partial_left),)
all continue: drop-partial
drop-partial:
	@rm -f -- $(foreach f,$(PARTIAL_FILES),"$$OUTPUT_DIR"/{$(f),$(f).bak})
endif

# File names taken as they stand, as those in the Makefile.
override MIDI_CHECKPOINT := $(or $(value MIDI_CHECKPOINT),$(OUTPUT_DIR)/midi_checkpoint.json)
override TEXT_CHECKPOINT := $(or $(value TEXT_CHECKPOINT),$(OUTPUT_DIR)/text_checkpoint.json)
override PROCESSING_CHECKPOINT := $(or $(value PROCESSING_CHECKPOINT),$(OUTPUT_DIR)/processing_checkpoint.json)
export MIDI_CHECKPOINT TEXT_CHECKPOINT PROCESSING_CHECKPOINT
CHECKPOINT_FILES = "$$MIDI_CHECKPOINT" "$$TEXT_CHECKPOINT" "$$PROCESSING_CHECKPOINT"

.PHONY: checkpoint
checkpoint: $(B)/export
	$(Q)$(B)/export --batch-size "$$BATCH_SIZE" --progress $(WORK_DIR)/progress -- $(WORK_DIR) $(PLAN_RECORD) $(CHECKPOINT_FILES)

.PHONY: import
import: $(B)/import
	$(Q)$(B)/import --tok $(call quote,$(MIDI2TOK)) --emb $(call quote,$(TEXT2EMB)) --model "$$MODEL" -- $(WORK_DIR) $(PLAN_RECORD) $(CHECKPOINT_FILES)
