/* Content hashes: XXH3 with 128 bits (xxHash 0.8, seed 0), written as 32 lower-case hexadecimal digits.
 * They name things and find accidental damage; they are no defence against someone who forges collisions. */
#ifndef REPRISE_HASH_H
#define REPRISE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_HEX 32 /* digits of a hash, without the terminating zero */

struct hash { uint64_t high, low; };
struct hash_state; /* an incremental hash */

struct hash hash_bytes(const void *bytes, size_t count);
struct hash_state *hash_start(void); /* NULL without memory */
void hash_add(struct hash_state *state, const void *bytes, size_t count);
void hash_add_string(struct hash_state *state, const char *text); /* with its terminating zero, so "ab","c" and "a","bc" differ */
struct hash hash_end(struct hash_state *state);                   /* frees the state */

int hash_equal(struct hash a, struct hash b);
int hash_compare(struct hash a, struct hash b); /* for sorting by value: below 0, 0 or above 0 */
void hash_to_hex(struct hash value, char hex[HASH_HEX + 1]);
int hash_from_hex(const char *hex, struct hash *value); /* -1 unless exactly 32 lower-case hexadecimal digits follow, then the end or any other character */

#endif
