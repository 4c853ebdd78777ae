# Test programs of kernels/cuda (included by the Makefile): built against tests/shim, they run on any computer, and with the library's own objects on a device.
#   build/…/shim/check_kernels, check_packing, time_forward, libreprise_cuda.so   on the host
#   build/…/gpu/check_kernels, time_kernels, time_forward                         on a device
SHIM := $(B)/shim
# Fibers and ThreadSanitizer do not go together.
shim_cflags = $(if $(filter tsan,$(BUILD)),$(cflags.release),$(cflags.$(BUILD)) -O2) -fPIC -DREPRISE_SHIM -Itests/shim
SHIM_CXXFLAGS = -std=c++17 -Wall -Wextra -Werror -Wno-unknown-pragmas $(shim_cflags) $(CFLAGS)
SHIM_CFLAGS = -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(shim_cflags) $(CFLAGS)
SHIM_LIBRARY_OBJECTS := $(patsubst %,$(SHIM)/%.o,$(filter-out %/reference.c,$(wildcard kernels/cuda/*.cu kernels/cuda/*.c tests/shim/*.cpp)))
SHIM_CHECK_OBJECTS := $(patsubst %,$(SHIM)/%.o,kernels/cuda/reference.c $(addprefix tests/gpu/,device_memory.c ragged.c))
SHIM_PROGRAMS := $(SHIM)/libreprise_cuda.so $(addprefix $(SHIM)/,check_kernels check_packing time_forward)

$(SHIM)/%.cu.o: %.cu $(B)/flags
	@mkdir -p $(@D)
	$(call say,CXX,$<)
	$(Q)$(CXX) -x c++ $(SHIM_CXXFLAGS) -MMD -MP -c $< -o $@
$(SHIM)/%.cpp.o: %.cpp $(B)/flags
	@mkdir -p $(@D)
	$(call say,CXX,$<)
	$(Q)$(CXX) $(SHIM_CXXFLAGS) -MMD -MP -c $< -o $@
$(SHIM)/%.c.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(SHIM_CFLAGS) -MMD -MP -c $< -o $@

$(SHIM)/libreprise_cuda.so: $(SHIM_LIBRARY_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CXX) -shared $(shim_cflags) $^ -lm -o $@
$(addprefix $(SHIM)/,check_kernels check_packing time_forward): $(SHIM)/%: $(SHIM)/tests/gpu/%.c.o $(SHIM_LIBRARY_OBJECTS) $(SHIM_CHECK_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CXX) $(shim_cflags) $^ -lm -o $@

GPU_TEST_OBJECTS := $(addprefix $(B)/gpu/,reference.c.o device_memory.c.o ragged.c.o)
GPU_PROGRAMS := $(if $(CUDA_LIBRARY),$(addprefix $(B)/gpu/,check_kernels time_kernels time_forward))
$(B)/gpu/reference.c.o: kernels/cuda/reference.c
$(addprefix $(B)/gpu/,device_memory.c.o ragged.c.o check_kernels.c.o time_kernels.c.o time_forward.c.o): $(B)/gpu/%.c.o: tests/gpu/%.c
$(B)/gpu/%.c.o: $(B)/cuda/flags
	@mkdir -p $(@D)
	$(call say,CC,$(filter %.c,$^))
	$(Q)$(CC) $(CUDA_CFLAGS) -MMD -MP -c $(filter %.c,$^) -o $@
$(GPU_PROGRAMS): $(B)/gpu/%: $(B)/gpu/%.c.o $(GPU_TEST_OBJECTS) $(CUDA_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(NVCC) -ccbin $(CXX) $(cuda_code) $^ -lcublasLt -lm -Xlinker -rpath,$(CUDA_HOME)/lib64 -o $@

# Goals for a machine with a GPU. gpu-bundle: a folder to carry to one that has nothing but Python and CUDA.
.PHONY: test-gpu bench-gpu gpu-bundle gpu-programs
gpu-programs: programs $(GPU_PROGRAMS)
	@[ -n '$(CUDA_LIBRARY)' ] || { echo "make: no CUDA compiler with cuBLAS is found (NVCC=…)" >&2; exit 1; }
test-gpu: gpu-programs
	@BUILD=$(BUILD) tests/gpu/run
bench-gpu: gpu-programs
	@BUILD=$(BUILD) tests/gpu/bench
gpu-bundle: gpu-programs
	@BUILD=$(BUILD) tests/gpu/bundle build/gpu-bundle

-include $(wildcard $(SHIM)/*/*.d $(SHIM)/*/*/*.d $(B)/gpu/*.d)
