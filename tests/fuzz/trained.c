/* A trained model: a byte for the tokenizer, a byte for the form, a text, a zero byte, and bytes that are base tokens. The text is a whole tokenizer.json, or its model alone, so that changes
 * need not go through a string within a string; then base tokens and characters are those of a small table. What opens encodes, or refuses with a reason, and so do the subwords decode. */
#include "../../tools/lib/text_buffer.h"
#include "../../tools/lib/trained_model.h"
#include "target.h"
#include "tokenizers.h"

enum { CHARACTERS = 40, MOST = 1000 };

/* Base token i of the small table: 'Z' and so on, beyond ASCII two bytes each. */
static void add_character(struct text_buffer *text, int32_t i)
{
    int character = 'Z' + i;
    char bytes[2] = {(char)(0xc0 | character >> 6), (char)(0x80 | (character & 63))};
    if (character < 127)
        bytes[0] = (char)character;
    text_add_json_string(text, bytes, character < 127 ? 1 : 2);
}

/* ,"_vocab_base":{…},"_vocab_base_byte_to_token":{…}}: CHARACTERS base tokens with a character each. */
static void add_base(struct text_buffer *json, const struct vocabulary *vocabulary)
{
    int32_t count = vocabulary->columns[0].count < CHARACTERS ? (int32_t)vocabulary->columns[0].count : CHARACTERS;
    for (int characters = 0; characters < 2; characters++) {
        text_add_string(json, characters ? "},\"_vocab_base_byte_to_token\":{" : ",\"_vocab_base\":{");
        for (int32_t i = 0; i < count; i++) {
            const char *name = vocabulary_name(vocabulary, 0, i);
            if (i > 0)
                text_add_string(json, ",");
            if (characters)
                add_character(json, i);
            else
                text_add_json_string(json, name, strlen(name));
            text_add_string(json, ":");
            if (characters)
                text_add_json_string(json, name, strlen(name));
            else
                text_printf(json, "%d", i);
        }
    }
    text_add_string(json, "}}");
}

/* A tokenizer.json around a model. */
static void wrap(struct text_buffer *json, const uint8_t *model, size_t size, uint8_t tokenizer)
{
    static struct text_buffer bases[256]; /* made once, and kept */
    struct text_buffer *base = &bases[tokenizer];
    if (base->count == 0)
        add_base(base, &fuzz_tokenizer(tokenizer)->vocabulary);
    text_clear(json);
    text_add_string(json, "{\"_model\":");
    text_add_json_string(json, (const char *)model, size);
    text_add(json, base->bytes, base->count);
    REQUIRE(!base->failed && !json->failed);
}

static void check_decoding(const struct trained_model *model, const struct token_ids *subwords, int encoded, const struct vocabulary *vocabulary)
{
    static struct token_ids base;
    struct reason why;
    base.count = 0;
    int result = trained_model_decode(model, subwords->ids, subwords->count, encoded, MOST, &base, &why);
    REQUIRE(result == 0 || (why.text[0] && !is_out_of_memory(&why)));
    REQUIRE(base.count <= MOST);
    for (size_t i = 0; i < base.count; i++)
        REQUIRE(base.ids[i] >= 0 && (size_t)base.ids[i] < vocabulary->columns[0].count);
}

static void use(struct trained_model *model, const uint8_t *bytes, size_t size, size_t among, const struct vocabulary *vocabulary)
{
    static struct token_ids subwords;
    struct reason why;
    int32_t *ids = malloc((size + 1) * sizeof *ids);
    REQUIRE(ids);
    for (size_t i = 0; i < size; i++)
        ids[i] = (int32_t)(bytes[i] % among);
    subwords.count = 0;
    if (trained_model_encode(model, ids, size, &subwords, &why) == 0)
        check_decoding(model, &subwords, 1, vocabulary);
    else
        REQUIRE(why.text[0] && !is_out_of_memory(&why));
    check_decoding(model, &(struct token_ids){.ids = ids, .count = size}, -1, vocabulary);
    free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct text_buffer json;
    struct reason why;
    struct trained_model *model;
    if (size < 2)
        return 0;
    const struct vocabulary *vocabulary = &fuzz_tokenizer(data[0])->vocabulary;
    const uint8_t *text = data + 2, *end = memchr(text, 0, size - 2);
    size_t count = end ? (size_t)(end - text) : size - 2, among = vocabulary->columns[0].count;
    int alone = data[1] & 1, result;
    if (alone) {
        wrap(&json, text, count, data[0]);
        among = among < CHARACTERS ? among : CHARACTERS;
        result = trained_model_open(json.bytes, json.count, vocabulary, &model, &why);
    } else {
        uint8_t *copy = fuzz_copy(text, count);
        result = trained_model_open((const char *)copy, count, vocabulary, &model, &why);
        free(copy);
    }
    REQUIRE(result == 0 || (why.text[0] && !is_out_of_memory(&why) && !model));
    if (model)
        use(model, end ? end + 1 : text, end ? size - 3 - count : 0, among, vocabulary);
    trained_model_close(model);
    return 0;
}
