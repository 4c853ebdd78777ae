# The goals that look at a build, and gc. They plan (with --look) but build nothing; what they print is the programs'.
LOOKED := $(WORK_DIR) $(OUTPUTS_HASH)
.PHONY: status why verify gc
status: $(B)/status
	@$< --output "$$OUTPUT_DIR" --cache "$$CACHE_DIR" $(LOOKED)

why: $(B)/why
	@$< --output "$$OUTPUT_DIR" --file "$$FILE" $(LOOKED)

verify: $(B)/verify
	@$< --output "$$OUTPUT_DIR" $(LOOKED)

gc: $(B)/gc
	@$< --output "$$OUTPUT_DIR" $(LOOKED)
