/* Tokenizers for the fuzz targets: number `n` of 256 is a tokenization in MidiTok's default configuration, or one with fields changed at random, always the same. */
#ifndef REPRISE_FUZZ_TOKENIZERS_H
#define REPRISE_FUZZ_TOKENIZERS_H

#include "../../tools/lib/tokenizer.h"

/* Made once, and kept. */
const struct tokenizer *fuzz_tokenizer(uint8_t number);

#endif
