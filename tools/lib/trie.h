/* A fixed dictionary of byte strings with a number each, made for finding all entries that begin at a place of a text: a double-array trie (Aoe 1989).
 * One step is one comparison in one array, whatever the number of entries; memory is about 12 bytes for each distinct prefix of the entries.
 *
 * Entries may come from a hostile file: the time to build is bounded by their bytes, and so is the memory. */
#ifndef REPRISE_TRIE_H
#define REPRISE_TRIE_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"

struct trie_node {
    uint32_t base;   /* the child by byte b, if there is one, is node base + b */
    uint32_t parent; /* whose child this is; TRIE_NONE: nobody's */
    int32_t id;      /* of the entry that ends here, or -1 */
};

#define TRIE_ROOT 0u
#define TRIE_NONE UINT32_MAX

struct trie { struct trie_node *nodes; uint32_t count; }; /* count: of nodes, 256 of them behind the last one that has children */

struct trie_entry { const char *bytes; size_t count; int32_t id; }; /* id: 0 or more */

/* Sorts the entries (of two that are equal the one with the higher id counts) and builds the trie; an entry of no bytes is left out. 0, or -1 with `why`. */
int trie_build(struct trie *trie, struct trie_entry *entries, size_t count, struct reason *why) __attribute__((warn_unused_result));
void trie_free(struct trie *trie);

/* The node behind `node` by this byte, TRIE_NONE if there is none. */
static inline uint32_t trie_step(const struct trie *trie, uint32_t node, unsigned char byte)
{
    const uint32_t child = trie->nodes[node].base + byte;
    return trie->nodes[child].parent == node ? child : TRIE_NONE;
}

/* The node reached from `node` by all these bytes, TRIE_NONE if there is none. */
uint32_t trie_walk(const struct trie *trie, uint32_t node, const char *bytes, size_t count);
/* The id of the entry that is exactly these bytes, -1 if there is none. */
int32_t trie_find(const struct trie *trie, const char *bytes, size_t count);
/* One more than the highest id of an entry. */
size_t trie_ids(const struct trie *trie);

#endif
