/* A model folder, of which one file is the input: the first byte says which. The others are those of a tiny BERT with a dense layer. What opens must be readable. */
#include "../../tools/lib/model_folder.h"
#include "../../tools/lib/text_buffer.h"
#include "memory_files.h"
#include "target.h"

static const struct { const char *path, *text; } files[] = {
    {"m/config.json", "{\"model_type\":\"bert\",\"hidden_size\":4,\"num_hidden_layers\":1,\"num_attention_heads\":2,\"intermediate_size\":3,\"vocab_size\":5,\"max_position_embeddings\":8,"
                    "\"type_vocab_size\":2}"},
    {"m/modules.json", "[{\"type\":\"m.Transformer\",\"path\":\"\"},{\"type\":\"m.Pooling\",\"path\":\"1\"},{\"type\":\"m.Dense\",\"path\":\"2\"},{\"type\":\"m.Normalize\",\"path\":\"3\"}]"},
    {"m/1/config.json", "{\"pooling_mode\":[\"cls\",\"mean\"],\"include_prompt\":false}"},
    {"m/2/config.json", "{\"in_features\":8,\"out_features\":2,\"bias\":true,\"activation_function\":\"torch.nn.modules.activation.Tanh\"}"},
    {"m/sentence_bert_config.json", "{\"max_seq_length\":6,\"do_lower_case\":true}"},
    {"m/tokenizer_config.json", "{\"tokenizer_class\":\"BertTokenizer\",\"do_lower_case\":false,\"model_max_length\":7}"},
    {"m/config_sentence_transformers.json", "{\"prompts\":{\"a\":\"x\"},\"default_prompt_name\":\"a\"}"},
    {"m/vocab.txt", "[UNK]\n[CLS]\n[SEP]\nx\ny\n"},
    {"m/model.safetensors", NULL},
    {"m/2/model.safetensors", NULL},
};
enum { FILES = sizeof files / sizeof *files };
static struct text_buffer weights[FILES]; /* of those without a text */

/* A safetensors file of zeros. shapes: "name rows columns" in order, rows 0 for a vector, until NULL. */
struct shape { const char *name; size_t rows, columns; };

static void make_weights(struct text_buffer *whole, const struct shape *shapes)
{
    struct text_buffer header = {0};
    size_t at = 0;
    for (; shapes->name; shapes++) {
        const size_t bytes = (shapes->rows ? shapes->rows : 1) * shapes->columns * sizeof(float);
        text_printf(&header, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[", at ? "," : "{", shapes->name);
        if (shapes->rows)
            text_printf(&header, "%zu,", shapes->rows);
        text_printf(&header, "%zu],\"data_offsets\":[%zu,%zu]}", shapes->columns, at, at + bytes);
        at += bytes;
    }
    text_add_string(&header, "}");
    const uint64_t length = header.count;
    text_add(whole, (const char *)&length, sizeof length);
    text_add(whole, header.bytes, header.count);
    for (size_t i = 0; i < at; i++)
        text_add(whole, "", 1);
    text_free(&header);
}

static void make_all_weights(void)
{
#define L "encoder.layer.0."
    static const struct shape encoder[] = {
        {"embeddings.word_embeddings.weight", 5, 4}, {"embeddings.position_embeddings.weight", 8, 4}, {"embeddings.token_type_embeddings.weight", 2, 4},
        {"embeddings.LayerNorm.weight", 0, 4}, {"embeddings.LayerNorm.bias", 0, 4},
        {L "attention.self.query.weight", 4, 4}, {L "attention.self.query.bias", 0, 4}, {L "attention.self.key.weight", 4, 4}, {L "attention.self.key.bias", 0, 4},
        {L "attention.self.value.weight", 4, 4}, {L "attention.self.value.bias", 0, 4}, {L "attention.output.dense.weight", 4, 4}, {L "attention.output.dense.bias", 0, 4},
        {L "attention.output.LayerNorm.gamma", 0, 4}, {L "attention.output.LayerNorm.beta", 0, 4}, {L "intermediate.dense.weight", 3, 4}, {L "intermediate.dense.bias", 0, 3},
        {L "output.dense.weight", 4, 3}, {L "output.dense.bias", 0, 4}, {L "output.LayerNorm.weight", 0, 4}, {L "output.LayerNorm.bias", 0, 4}, {NULL, 0, 0},
    };
    static const struct shape dense[] = {{"linear.weight", 2, 8}, {"linear.bias", 0, 2}, {NULL, 0, 0}};
    make_weights(&weights[FILES - 2], encoder);
    make_weights(&weights[FILES - 1], dense);
}

static void put(size_t which)
{
    if (files[which].text)
        memory_file_put(files[which].path, files[which].text, strlen(files[which].text));
    else
        memory_file_put(files[which].path, weights[which].bytes, weights[which].count);
}

/* Everything that the encoder would read. */
static void read_all(const struct model_folder *model)
{
    static volatile float sum;
    struct reason why;
    float *row = malloc(model->hidden * sizeof *row);
    REQUIRE(row);
    for (size_t i = 0; i < model->vocabulary; i++)
        sum += model_words(model, i, 1, row)[model->hidden - 1];
    sum += model->position_rows[model->positions * model->hidden - 1];
    for (size_t i = 0; i < model->layers; i++) {
        if (model_layer_take(model, i, &why) < 0)
            break;
        sum += model->layer[i].query[model->hidden * model->hidden - 1] + model->layer[i].down[model->hidden * model->intermediate - 1];
        model_layer_drop(model, i);
    }
    if (model->distance_bias)
        sum += model->distance_bias[model->heads * (2 * model->max_tokens - 1) - 1];
    for (size_t i = 0; i < model->denses; i++)
        sum += model->dense[i].weights[model->dense[i].inputs * model->dense[i].outputs - 1];
    free(row);
}

/* The folder itself is a good one. */
static void make_folder(void)
{
    struct model_settings settings = MODEL_SETTINGS_NONE;
    struct reason why;
    make_all_weights();
    for (size_t i = 0; i < FILES; i++)
        put(i);
    struct model_folder *good = model_folder_open("m", &settings, &why);
    if (!good)
        fprintf(stderr, "%s\n", why.text);
    REQUIRE(good);
    read_all(good);
    model_folder_close(good);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model_settings settings = MODEL_SETTINGS_NONE;
    struct reason why;
    if (!weights[FILES - 1].bytes)
        make_folder();
    if (!size)
        return 0;
    const size_t which = data[0] % FILES;
    memory_file_put(files[which].path, data + 1, size - 1);
    struct model_folder *model = model_folder_open("m", &settings, &why);
    REQUIRE(model || why.text[0]);
    if (model)
        read_all(model);
    model_folder_close(model);
    put(which);
    return 0;
}
