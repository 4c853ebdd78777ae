#include "trie.h"

#include <stdlib.h>
#include <string.h>

#include "grow.h"

/* Free places are a doubly linked list in order, kept in the nodes themselves: base is the next one, id the one before. */
#define FREE_END UINT32_MAX

enum {
    LOOKS = 32,      /* free places that are tried for a node of several children before a fresh block is taken */
    BLOCK = 256,     /* nodes are added in blocks, so that a base at the end has a place for every byte */
    FEW = 65536,     /* nodes that are always allowed, */
    PER_BYTE = 16    /* and for each byte of the entries: only entries made to spread wide need more */
};
#define MOST ((size_t)1 << 28)

/* A node whose children are still to be placed: entries first .. last - 1 have its bytes in common, `depth` of them. */
struct open_node { uint32_t node; size_t first, last, depth; };

struct builder {
    struct trie *trie;
    const struct trie_entry *entries;
    size_t capacity, most; /* nodes */
    uint32_t free_first, free_last;
    struct open_node *open;
    size_t open_count, open_capacity;
};

static int compare_entries(const void *a, const void *b)
{
    const struct trie_entry *left = a, *right = b;
    const size_t common = left->count < right->count ? left->count : right->count;
    const int order = common ? memcmp(left->bytes, right->bytes, common) : 0;
    if (order || left->count != right->count)
        return order ? order : left->count < right->count ? -1 : 1;
    return left->id < right->id ? -1 : left->id > right->id;
}

static int add_block(struct builder *builder, struct reason *why)
{
    struct trie *trie = builder->trie;
    if (trie->count + (size_t)BLOCK > builder->most)
        return fail(why, "the vocabulary would take more than %zu nodes", builder->most);
    if (GROW(trie->nodes, builder->capacity, (size_t)trie->count + BLOCK, why) < 0)
        return -1;
    for (uint32_t i = trie->count; i < trie->count + BLOCK; i++) {
        trie->nodes[i] = (struct trie_node){.base = FREE_END, .parent = TRIE_NONE, .id = (int32_t)builder->free_last};
        if (builder->free_last == FREE_END)
            builder->free_first = i;
        else
            trie->nodes[builder->free_last].base = i;
        builder->free_last = i;
    }
    trie->count += BLOCK;
    return 0;
}

static void take(struct builder *builder, uint32_t place, uint32_t parent)
{
    struct trie_node *nodes = builder->trie->nodes, *node = &nodes[place];
    const uint32_t next = node->base, before = (uint32_t)node->id;
    if (before == FREE_END)
        builder->free_first = next;
    else
        nodes[before].base = next;
    if (next == FREE_END)
        builder->free_last = before;
    else
        nodes[next].id = (int32_t)before;
    *node = (struct trie_node){.parent = parent, .id = -1};
}

/* Whether every child of this base is free. Root is nobody's child, though its parent is none. */
static int fits(const struct trie *trie, uint32_t base, const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint32_t place = base + bytes[i];
        if (place >= trie->count || place == TRIE_ROOT || trie->nodes[place].parent != TRIE_NONE)
            return 0;
    }
    return 1;
}

/* A base for children by these ascending bytes. */
static int find_base(struct builder *builder, const unsigned char *bytes, size_t count, uint32_t *base, struct reason *why)
{
    const struct trie *trie = builder->trie;
    uint32_t place = builder->free_first;
    for (int look = 0; place != FREE_END && look < LOOKS; look++, place = trie->nodes[place].base)
        if (place >= bytes[0] && fits(trie, place - bytes[0], bytes, count)) {
            *base = place - bytes[0];
            return 0;
        }
    /* The last blocks are the emptiest. */
    place = builder->free_last;
    for (int look = 0; place != FREE_END && look < LOOKS; look++, place = (uint32_t)trie->nodes[place].id)
        if (place >= bytes[0] && fits(trie, place - bytes[0], bytes, count)) {
            *base = place - bytes[0];
            return 0;
        }
    *base = trie->count;
    return add_block(builder, why);
}

/* Reads the distinct bytes that follow and places a child for each. */
static int place_children(struct builder *builder, struct open_node at, struct reason *why)
{
    unsigned char bytes[256];
    size_t count = 0, first = at.first;
    const struct trie_entry *entries = builder->entries;
    for (; first < at.last && entries[first].count == at.depth; first++) /* those that end here come first */
        builder->trie->nodes[at.node].id = entries[first].id;
    for (size_t i = first; i < at.last; i++) {
        const unsigned char byte = (unsigned char)entries[i].bytes[at.depth];
        if (!count || bytes[count - 1] != byte)
            bytes[count++] = byte;
    }
    if (!count)
        return 0;
    uint32_t base = 0;
    if (find_base(builder, bytes, count, &base, why) < 0)
        return -1;
    builder->trie->nodes[at.node].base = base;
    for (size_t i = 0; i < count; i++) {
        const size_t begin = first;
        while (first < at.last && (unsigned char)entries[first].bytes[at.depth] == bytes[i])
            first++;
        take(builder, base + bytes[i], at.node);
        if (GROW(builder->open, builder->open_capacity, builder->open_count + 1, why) < 0)
            return -1;
        builder->open[builder->open_count++] = (struct open_node){base + bytes[i], begin, first, at.depth + 1};
    }
    return 0;
}

int trie_build(struct trie *trie, struct trie_entry *entries, size_t count, struct reason *why)
{
    *trie = (struct trie){0};
    struct builder builder = {.trie = trie, .entries = entries, .free_first = FREE_END, .free_last = FREE_END};
    if (count)
        qsort(entries, count, sizeof *entries, compare_entries);
    size_t first = 0, bytes = 0;
    while (first < count && entries[first].count == 0)
        first++;
    for (size_t i = first; i < count; i++)
        bytes += entries[i].count;
    builder.most = bytes < (MOST - FEW) / PER_BYTE ? PER_BYTE * bytes + FEW : MOST;
    int result = add_block(&builder, why);
    if (result == 0) {
        take(&builder, TRIE_ROOT, TRIE_NONE);
        result = place_children(&builder, (struct open_node){TRIE_ROOT, first, count, 0}, why);
    }
    while (result == 0 && builder.open_count)
        result = place_children(&builder, builder.open[--builder.open_count], why);
    /* Any base has all its places: a step needs no look at the end. */
    if (result == 0)
        result = add_block(&builder, why);
    for (uint32_t place = builder.free_first; result == 0 && place != FREE_END;) {
        const uint32_t next = trie->nodes[place].base;
        trie->nodes[place] = (struct trie_node){.parent = TRIE_NONE, .id = -1};
        place = next;
    }
    free(builder.open);
    if (result < 0)
        trie_free(trie);
    return result;
}

void trie_free(struct trie *trie)
{
    free(trie->nodes);
    *trie = (struct trie){0};
}

uint32_t trie_walk(const struct trie *trie, uint32_t node, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count && node != TRIE_NONE; i++)
        node = trie_step(trie, node, (unsigned char)bytes[i]);
    return node;
}

int32_t trie_find(const struct trie *trie, const char *bytes, size_t count)
{
    const uint32_t node = trie_walk(trie, TRIE_ROOT, bytes, count);
    return node == TRIE_NONE || count == 0 ? -1 : trie->nodes[node].id;
}

size_t trie_ids(const struct trie *trie)
{
    int32_t most = -1;
    for (uint32_t i = 0; i < trie->count; i++)
        most = trie->nodes[i].id > most ? trie->nodes[i].id : most;
    return (size_t)(most + 1);
}
