# Flags of the kernels (included by the Makefile). Each instruction set has a file of its own; which one runs is decided at run time.
# Multiply and add become one FMA where the set has it. They are optimized in every build: a test suite on unoptimized ones would take an hour.
$(B)/kernels/cpu/%.o: OBJECT_CFLAGS += -O2 -ffp-contract=fast $(if $(findstring clang,$(CC)),,-fno-var-tracking-assignments)
ifeq ($(shell uname -m),x86_64)
$(B)/kernels/cpu/kernels_avx512.o $(B)/kernels/cpu/kernels_avx512_paired.o: OBJECT_CFLAGS += -mavx512f -mfma -mprefer-vector-width=512
$(B)/kernels/cpu/kernels_avx2.o: OBJECT_CFLAGS += -mavx2 -mfma
avx512 := -mavx512f -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512
$(B)/kernels/cpu/reduced_%_avx512.o $(B)/kernels/cpu/reduced_%_paired.o: OBJECT_CFLAGS += $(avx512) -mavx512vnni
$(B)/kernels/cpu/reduced_%_amx.o: OBJECT_CFLAGS += $(avx512) -mavx512vbmi -mamx-tile -mamx-int8
$(B)/kernels/cpu/reduced_bf16_amx.o: OBJECT_CFLAGS += -mavx512bf16 -mamx-bf16
$(B)/kernels/cpu/reduced_int16_avx2.o $(B)/kernels/cpu/reduced_int8_avx2.o: OBJECT_CFLAGS += -mavx2 -mfma
$(B)/kernels/cpu/reduced_int8_avx512bw.o: OBJECT_CFLAGS += $(avx512)
$(B)/kernels/cpu/reduced_int8_avx2vnni.o: OBJECT_CFLAGS += -mavx2 -mfma -mavxvnni
$(B)/kernels/cpu/attention_bf16.o: OBJECT_CFLAGS += $(avx512) -mavx512bf16
$(B)/kernels/cpu/attention_int16.o $(B)/kernels/cpu/attention_scores.o: OBJECT_CFLAGS += $(avx512) -mavx512vnni
$(B)/kernels/cpu/attention_amx_%.o: OBJECT_CFLAGS += $(avx512) -mavx512vbmi -mavx512bf16 -mamx-tile -mamx-bf16
# Checks of every single address (which AddressSanitizer makes too, and better) make of these unrolled tiles what a compiler takes minutes for.
sanitized := $(findstring -fsanitize,$(cflags.$(BUILD)))
$(B)/kernels/cpu/reduced_%.o $(B)/kernels/cpu/attention_%.o: OBJECT_CFLAGS += $(if $(sanitized),-fno-sanitize=alignment$(comma)null$(comma)object-size$(comma)pointer-overflow)
endif
