/* The text encoder: token ids in, one embedding per text out. The one door to the numeric kernels: kernels/cpu (C, once per instruction set)
 * stands behind the first half of it, kernels/cuda (a library that is loaded when it is asked for) behind the second.
 *
 * Promise: a text's embedding has the same bits alone, in any batch, in any order and in any number of processes (of the same
 * instruction set). No text is ever padded.
 *
 * Architectures: BERT (Devlin et al. 2018, arXiv 1810.04805; post-layer-norm, GELU by erf) and its kin, as model_folder.h lists them; pooling, dense layers and normalization
 * as sentence-transformers defines them (Reimers & Gurevych 2019, arXiv 1908.10084). */
#ifndef REPRISE_ENCODER_H
#define REPRISE_ENCODER_H

#include <stddef.h>
#include <stdint.h>

#include "../tools/lib/message.h"

struct model_folder; /* tools/lib/model_folder.h: configuration and mapped weights */
struct encoder;

/* Of the calculation, the lowest last. What bf16 and int8 mean on a CPU is said in kernels/cpu/reduced.h, on a GPU in kernels/cuda; f16 is for GPUs, int8 for CPUs. */
enum precision { PRECISION_F32, PRECISION_F16, PRECISION_BF16, PRECISION_INT8, PRECISIONS };

const char *precision_name(enum precision precision);
int precision_from_name(const char *name); /* -1: there is none of that name */
/* The one that is computed in where `wanted` is asked for: where the machine lacks the instructions, the next higher one. */
enum precision encoder_precision(enum precision wanted);

/* Packs the weights for this machine. NULL with `why`. The model must outlive the encoder. */
struct encoder *encoder_open(const struct model_folder *model, enum precision precision, struct reason *why) __attribute__((warn_unused_result));

/* Embeds `texts` texts: text i has token ids ids[offsets[i]] .. ids[offsets[i+1]-1], special tokens included, at least one and at most
 * encoder_max_tokens. Writes embeddings [texts, encoder_dimension], row-major. 0, or -1 with `why`. */
int encoder_forward(struct encoder *encoder, const int32_t *ids, const size_t *offsets, size_t texts, float *embeddings, struct reason *why) __attribute__((warn_unused_result));

/* The last layer's states of every token instead: states [offsets[texts] - offsets[0], hidden], row-major, text behind text. 0, or -1 with `why`. */
int encoder_states(struct encoder *encoder, const int32_t *ids, const size_t *offsets, size_t texts, float *states, struct reason *why) __attribute__((warn_unused_result));

size_t encoder_dimension(const struct encoder *encoder);
size_t encoder_max_tokens(const struct encoder *encoder);
void encoder_close(struct encoder *encoder);

/* ---- on a GPU ----
 * Batches are begun in slots and finished later, so that several are under way. Nothing here may be called in a process that forks afterwards.
 * Promise: as above, a text's embedding has the same bits whatever its neighbours are (of the same kind of device and version of CUDA; how products see to it says
 * kernels/cuda/matmul.h). In f32 it differs from the CPU's by rounding alone, 1e-5 at most, and counts as the same. */

enum { GPU_SLOTS = 3, GPU_NO_MEMORY = -2 };

struct gpu_encoder;

/* The number of GPUs that can be used for this model and precision; 0 with `why`: no library (built without CUDA, or CUDA is not installed), no device, or something
 * that is not known there. */
int gpu_count(const struct model_folder *model, enum precision precision, struct reason *why);
/* Copies the weights to GPU number `device`. NULL with `why`. The model must outlive the encoder. */
struct gpu_encoder *gpu_encoder_open(const struct model_folder *model, int device, enum precision precision, struct reason *why) __attribute__((warn_unused_result));
/* How many tokens a batch should have at most, where `most` are wanted: no more than that, and enough for the longest text. */
size_t gpu_encoder_batch_tokens(const struct gpu_encoder *encoder, size_t most);
/* Begins a batch in a free slot; the arguments as in encoder_forward, and not needed afterwards. 0; -1 with `why`; GPU_NO_MEMORY with `why`: nothing is begun, a smaller batch may do. */
int gpu_encoder_begin(struct gpu_encoder *encoder, unsigned slot, const int32_t *ids, const size_t *offsets, size_t texts, struct reason *why)
    __attribute__((warn_unused_result));
/* Waits for a slot's batch, writes its embeddings [texts, model->dimension], and frees the slot. 0, or -1 with `why`. */
int gpu_encoder_finish(struct gpu_encoder *encoder, unsigned slot, float *embeddings, struct reason *why) __attribute__((warn_unused_result));
/* Seconds that the GPU was at work on the batches that are finished. */
double gpu_encoder_busy(const struct gpu_encoder *encoder);
void gpu_encoder_close(struct gpu_encoder *encoder); /* NULL is allowed */

#endif
