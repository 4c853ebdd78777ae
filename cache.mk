# The cache of finished shards: programs keep and take them by themselves where USE_CACHE=1 (tools/lib/shard_cache.h); this goal trims it.
.PHONY: cache-gc
cache-gc: $(B)/cache_gc
	@$(B)/cache_gc -- "$$CACHE_DIR" "$$CACHE_SIZE"
