/* Scores of attention in 16-bit integers, by AVX-512 VNNI: queries and keys rounded to 16 bits keep four more of them than in bf16, at the same speed. Softmax makes of an error of
 * scores one of shares, the larger the larger scores are. */
#ifndef REPRISE_ATTENTION_SCORES_H
#define REPRISE_ATTENTION_SCORES_H

#include <stddef.h>

enum { SCORE_ROWS = 14, SCORE_COLUMNS = 32 }; /* of a tile */

/* The largest size of a value: sums of head_size products stay in 32 bits. */
float attention_score_most(size_t head_size);

/* scores [rows, SCORE_COLUMNS] = query_scale [rows] * key_scale [SCORE_COLUMNS] * queries keys^T. Queries: rows of values by twos, `stride` bytes apart; keys: [steps, SCORE_COLUMNS, 2];
 * each row of scores `score_stride` floats behind the one before. */
void attention_scores(size_t rows, size_t steps, const char *queries, size_t stride, const float *query_scale, const char *keys, const float *key_scale, float *scores, size_t score_stride);

#endif
