/* A model folder, of which one file is the input: the first byte says which. The others are those of a tiny BERT with a dense layer. What opens must be readable. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../tools/lib/model_folder.h"
#include "../../tools/lib/text_buffer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct { const char *name, *text; } files[] = {
    {"config.json", "{\"model_type\":\"bert\",\"hidden_size\":4,\"num_hidden_layers\":1,\"num_attention_heads\":2,\"intermediate_size\":3,\"vocab_size\":5,\"max_position_embeddings\":8,"
                    "\"type_vocab_size\":2}"},
    {"modules.json", "[{\"type\":\"m.Transformer\",\"path\":\"\"},{\"type\":\"m.Pooling\",\"path\":\"1\"},{\"type\":\"m.Dense\",\"path\":\"2\"},{\"type\":\"m.Normalize\",\"path\":\"3\"}]"},
    {"1/config.json", "{\"pooling_mode\":[\"cls\",\"mean\"],\"include_prompt\":false}"},
    {"2/config.json", "{\"in_features\":8,\"out_features\":2,\"bias\":true,\"activation_function\":\"torch.nn.modules.activation.Tanh\"}"},
    {"sentence_bert_config.json", "{\"max_seq_length\":6,\"do_lower_case\":true}"},
    {"tokenizer_config.json", "{\"tokenizer_class\":\"BertTokenizer\",\"do_lower_case\":false,\"model_max_length\":7}"},
    {"config_sentence_transformers.json", "{\"prompts\":{\"a\":\"x\"},\"default_prompt_name\":\"a\"}"},
    {"vocab.txt", "[UNK]\n[CLS]\n[SEP]\nx\ny\n"},
    {"model.safetensors", NULL},
    {"2/model.safetensors", NULL},
};
enum { FILES = sizeof files / sizeof *files };
static char folder[64];

static void put(const char *name, const void *bytes, size_t count)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || write(file, bytes, count) != (ssize_t)count || close(file) < 0)
        abort();
}

/* A safetensors file of zeros. shapes: "name rows columns" in order, rows 0 for a vector, until NULL. */
struct shape { const char *name; size_t rows, columns; };

static void put_weights(const char *name, const struct shape *shapes)
{
    struct text_buffer header = {0}, whole = {0};
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
    text_add(&whole, (const char *)&length, sizeof length);
    text_add(&whole, header.bytes, header.count);
    for (size_t i = 0; i < at; i++)
        text_add(&whole, "", 1);
    put(name, whole.bytes, whole.count);
    text_free(&header);
    text_free(&whole);
}

static void put_all_weights(void)
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
    put_weights("model.safetensors", encoder);
    put_weights("2/model.safetensors", dense);
}

static void remove_folder(void)
{
    char path[160];
    for (size_t i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        unlink(path);
    }
    for (int i = 1; i <= 2; i++) {
        snprintf(path, sizeof path, "%s/%d", folder, i);
        rmdir(path);
    }
    rmdir(folder);
}

static void make_folder(void)
{
    char path[160];
    strcpy(folder, "/tmp/fuzz-model-XXXXXX");
    if (!mkdtemp(folder) || atexit(remove_folder))
        abort();
    for (int i = 1; i <= 2; i++) {
        snprintf(path, sizeof path, "%s/%d", folder, i);
        if (mkdir(path, 0700) < 0)
            abort();
    }
    for (size_t i = 0; i < FILES; i++)
        if (files[i].text)
            put(files[i].name, files[i].text, strlen(files[i].text));
    put_all_weights();
}

/* Everything that the encoder would read. */
static void read_all(const struct model_folder *model)
{
    static volatile float sum;
    struct reason why;
    float *row = malloc(model->hidden * sizeof *row);
    if (!row)
        return;
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int opens;
    struct model_settings settings = MODEL_SETTINGS_NONE;
    struct reason why;
    if (!*folder)
        make_folder();
    if (!opens) { /* the folder itself is a good one */
        struct model_folder *good = model_folder_open(folder, &settings, &why);
        if (!good) {
            fprintf(stderr, "%s\n", why.text);
            abort();
        }
        read_all(good);
        model_folder_close(good);
        opens = 1;
    }
    if (!size)
        return 0;
    const size_t which = data[0] % FILES;
    put(files[which].name, data + 1, size - 1);
    struct model_folder *model = model_folder_open(folder, &settings, &why);
    if (model)
        read_all(model);
    else if (!why.text[0])
        abort();
    model_folder_close(model);
    if (files[which].text)
        put(files[which].name, files[which].text, strlen(files[which].text));
    else
        put_all_weights();
    return 0;
}
