# libreprise_cuda.so: the encoder on a GPU (included by kernels.mk). It is built where CUDA's compiler and cuBLASLt are found, and nothing else needs it.
#   NVCC        the compiler (found on PATH, or in /usr/local/cuda)
#   CUDA_ARCHS  what it is built for: every family of devices from sm_70 on that the compiler knows, and PTX of the newest for those to come; CUDA_ARCHS=90 builds quickly
#   CUDA_FLAGS  further options of nvcc
ifndef NVCC
NVCC := $(or $(shell command -v nvcc 2>/dev/null),$(wildcard /usr/local/cuda/bin/nvcc))
endif
CUDA_HOME ?= $(patsubst %/bin/,%,$(dir $(realpath $(NVCC))))
CUDA_LIBRARY := $(if $(NVCC),$(if $(wildcard $(CUDA_HOME)/include/cublasLt.h),$(B)/libreprise_cuda.so))

CUDA_ARCHS ?= $(shell $(NVCC) --list-gpu-code | sed -nE 's/^sm_(70|75|[89]0|1[0-9]0)$$/\1/p' | sort -n)
CUDA_FLAGS ?=
cuda_code = $(foreach arch,$(CUDA_ARCHS),-gencode=arch=compute_$(arch),code=sm_$(arch)) \
  -gencode=arch=compute_$(lastword $(CUDA_ARCHS)),code=compute_$(lastword $(CUDA_ARCHS))
# To clang as the host's compiler CUDA's own headers, once nvcc has preprocessed them, are not a system's: it speaks of what they define and nobody uses.
host_quiet = $(if $(findstring clang,$(CXX)),$(comma)-Wno-unused-function)
# A target that the next compiler drops (12.8 says so of sm_70) is no reason to stop. Always optimized, and without sanitizers, which do not go together with a device's driver.
NVCC_FLAGS = -std=c++17 -O3 -g -Xcompiler=-fPIC,-fvisibility=hidden,-Wall,-Wextra,-Werror$(host_quiet) -Werror all-warnings -Wno-deprecated-gpu-targets $(cuda_code) $(CUDA_FLAGS)
CUDA_CFLAGS = -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -O2 -g -fPIC -fvisibility=hidden -isystem $(CUDA_HOME)/include $(CFLAGS)
CUDA_OBJECTS := $(patsubst kernels/cuda/%,$(B)/cuda/%.o,$(filter-out %/reference.c,$(wildcard kernels/cuda/*.cu kernels/cuda/*.c)))

$(B)/cuda/flags: FORCE | $(B)/checked
	@mkdir -p $(@D); flags="$$(printf '%s\n' $(call quote,$(NVCC) $(NVCC_FLAGS) $(CC) $(CUDA_CFLAGS)); $(NVCC) --version | tail -1)"; \
	  [ "$$(cat $@ 2>/dev/null)" = "$$flags" ] || printf '%s\n' "$$flags" >$@

$(B)/cuda/%.cu.o: kernels/cuda/%.cu $(B)/cuda/flags
	$(call say,NVCC,$<)
	$(Q)$(NVCC) -ccbin $(CXX) $(NVCC_FLAGS) -MMD -MP -c $< -o $@

$(B)/cuda/%.c.o: kernels/cuda/%.c $(B)/cuda/flags
	$(call say,CC,$<)
	$(Q)$(CC) $(CUDA_CFLAGS) -MMD -MP -c $< -o $@

# The runtime is linked in, cuBLASLt is found where the compiler is (or by the system); all but one symbol stays inside.
$(B)/libreprise_cuda.so: $(CUDA_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(NVCC) -ccbin $(CXX) -shared $(cuda_code) $^ -lcublasLt -Xlinker -rpath,$(CUDA_HOME)/lib64 -Xlinker --exclude-libs,ALL -o $@

-include $(wildcard $(B)/cuda/*.d)
