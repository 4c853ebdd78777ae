#include "model_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- config.json ---- */

static const char config_file[] = "config.json";

/* The architectures by model_type, with what an absent member means (transformers' defaults). */
static const struct family {
    const char *type;
    enum architecture architecture;
    size_t vocabulary, token_types, padding, layers;
} families[] = {
    {"bert", ARCHITECTURE_BERT, 30522, 2, 0, 12},
    {"roberta", ARCHITECTURE_ROBERTA, 50265, 2, 1, 12},
    {"xlm-roberta", ARCHITECTURE_ROBERTA, 30522, 2, 1, 12},
    {"camembert", ARCHITECTURE_ROBERTA, 30522, 2, 1, 12},
    {"distilbert", ARCHITECTURE_DISTILBERT, 30522, 0, 0, 6},
    {"mpnet", ARCHITECTURE_MPNET, 30527, 0, 1, 12},
};

const char *architecture_name(enum architecture architecture)
{
    static const char *const names[ARCHITECTURES] = {"BERT", "DistilBERT", "RoBERTa", "MPNet"};
    return names[architecture];
}

static const struct family *family_of(const char *type)
{
    for (size_t i = 0; type && i < sizeof families / sizeof *families; i++)
        if (strcmp(families[i].type, type) == 0)
            return &families[i];
    return NULL;
}

int model_type_is_known(const char *type)
{
    return family_of(type) != NULL;
}

static const struct family *find_family(const cJSON *config, struct reason *why)
{
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(config, "model_type"));
    const struct family *family = family_of(type);
    if (family)
        return family;
    if (type)
        fail(why, "%s: model_type %s is not known; bert, roberta, xlm-roberta, camembert, distilbert and mpnet are", config_file, type);
    else
        fail(why, "%s: no model_type", config_file);
    return NULL;
}

static int read_sizes(const cJSON *config, const struct family *family, struct model_folder *model, struct reason *why)
{
    const int distil = family->architecture == ARCHITECTURE_DISTILBERT;
    size_t buckets = 32;
    if (json_get_size(config, config_file, distil ? "dim" : "hidden_size", 768, 1, 16384, &model->hidden, why) < 0 ||
        json_get_size(config, config_file, distil ? "n_layers" : "num_hidden_layers", family->layers, 1, 1024, &model->layers, why) < 0 ||
        json_get_size(config, config_file, distil ? "n_heads" : "num_attention_heads", 12, 1, 1024, &model->heads, why) < 0 ||
        json_get_size(config, config_file, distil ? "hidden_dim" : "intermediate_size", 3072, 1, 131072, &model->intermediate, why) < 0 ||
        json_get_size(config, config_file, "vocab_size", family->vocabulary, 1, 16777216, &model->vocabulary, why) < 0 ||
        json_get_size(config, config_file, "max_position_embeddings", 512, 1, 1048576, &model->positions, why) < 0)
        return -1;
    if (family->token_types && json_get_size(config, config_file, "type_vocab_size", family->token_types, 1, 1024, &model->token_types, why) < 0)
        return -1;
    if (family->architecture == ARCHITECTURE_MPNET && json_get_size(config, config_file, "relative_attention_num_buckets", 32, 1, 1024, &buckets, why) < 0)
        return -1;
    if (buckets != 32)
        return fail(why, "%s: relative_attention_num_buckets %zu is not known; 32 is", config_file, buckets);
    if (model->hidden % model->heads)
        return fail(why, "%s: hidden_size %zu is no multiple of num_attention_heads %zu", config_file, model->hidden, model->heads);
    return 0;
}

static int read_padding(const cJSON *config, const struct family *family, struct model_folder *model, struct reason *why)
{
    size_t padding = 1; /* MPNet has it fixed */
    model->padding = -1;
    if (family->architecture != ARCHITECTURE_ROBERTA && family->architecture != ARCHITECTURE_MPNET)
        return 0;
    if (family->architecture == ARCHITECTURE_ROBERTA &&
        json_get_size(config, config_file, "pad_token_id", family->padding, 0, model->vocabulary - 1, &padding, why) < 0)
        return -1;
    if (model->positions < padding + 4)
        return fail(why, "%s: max_position_embeddings %zu leaves no room behind pad_token_id %zu", config_file, model->positions, padding);
    model->padding = (int32_t)padding;
    return 0;
}

static int read_epsilon(const cJSON *config, const struct family *family, struct model_folder *model, struct reason *why)
{
    const cJSON *epsilon = json_member(config, "layer_norm_eps");
    if (epsilon && (!cJSON_IsNumber(epsilon) || !(epsilon->valuedouble >= 0 && epsilon->valuedouble < 1)))
        return fail(why, "%s: layer_norm_eps is not a number from 0 to 1", config_file);
    model->epsilon = epsilon && family->architecture != ARCHITECTURE_DISTILBERT ? (float)epsilon->valuedouble : 1e-12f;
    return 0;
}

static int read_architecture(const cJSON *config, struct model_folder *model, struct reason *why)
{
    const struct family *family = find_family(config, why);
    int decoder, cross;
    if (!family)
        return -1;
    model->architecture = family->architecture;
    if (json_only_known(config, config_file, family->architecture == ARCHITECTURE_DISTILBERT ? "activation" : "hidden_act", "gelu", why) < 0 ||
        json_only_known(config, config_file, "position_embedding_type", "absolute", why) < 0 ||
        json_get_flag(config, config_file, "is_decoder", 0, &decoder, why) < 0 || json_get_flag(config, config_file, "add_cross_attention", 0, &cross, why) < 0)
        return -1;
    if (decoder || cross)
        return fail(why, "%s: %s is set; encoders are known", config_file, decoder ? "is_decoder" : "add_cross_attention");
    return read_sizes(config, family, model, why) < 0 || read_padding(config, family, model, why) < 0 ? -1 : read_epsilon(config, family, model, why);
}

int model_read_config(const struct model_paths *paths, struct model_folder *model, struct reason *why)
{
    cJSON *config = model_read_json(paths->transformer, config_file, cJSON_Object, why);
    if (!config)
        return -1;
    int result = read_architecture(config, model, why);
    cJSON_Delete(config);
    return result;
}

/* ---- the tokenizer's settings ---- */

static int copy_text(const char *file, const char *name, const cJSON *value, char *into, size_t room, struct reason *why)
{
    const cJSON *text = cJSON_IsObject(value) ? cJSON_GetObjectItemCaseSensitive(value, "content") : value;
    if (!cJSON_IsString(text) || !*text->valuestring || strlen(text->valuestring) >= room)
        return fail(why, "%s: %s is not a string of 1 to %zu bytes", file, name, room - 1);
    strcpy(into, text->valuestring);
    return 0;
}

static int read_special_tokens(const char *file, const cJSON *config, struct tokenizer_settings *settings, struct reason *why)
{
    static const char *const names[SPECIALS] = {
        [SPECIAL_UNKNOWN] = "unk_token", [SPECIAL_FIRST] = "cls_token", [SPECIAL_LAST] = "sep_token", [SPECIAL_PADDING] = "pad_token", [SPECIAL_MASK] = "mask_token",
    };
    for (size_t i = 0; i < SPECIALS; i++) {
        const cJSON *value = json_member(config, names[i]);
        struct special_token *token = &settings->special[i];
        if (!value)
            continue;
        if (copy_text(file, names[i], value, token->text, sizeof token->text, why) < 0 || json_get_flag(value, file, "lstrip", 0, &token->lstrip, why) < 0 ||
            json_get_flag(value, file, "rstrip", 0, &token->rstrip, why) < 0 || json_get_flag(value, file, "single_word", 0, &token->single_word, why) < 0)
            return -1;
    }
    return 0;
}

static int read_tokenizer(const char *file, const cJSON *config, struct tokenizer_settings *settings, double *limit, struct reason *why)
{
    const cJSON *class = json_member(config, "tokenizer_class"), *length = json_member(config, "model_max_length");
    int strip;
    if ((class && copy_text(file, "tokenizer_class", class, settings->class, sizeof settings->class, why) < 0) ||
        json_get_flag(config, file, "do_lower_case", 1, &settings->lower_case, why) < 0 || json_get_flag(config, file, "strip_accents", 0, &strip, why) < 0 ||
        json_get_flag(config, file, "tokenize_chinese_chars", 1, &settings->split_chinese, why) < 0 ||
        json_get_flag(config, file, "add_prefix_space", 0, &settings->prefix_space, why) < 0 ||
        json_only_known(config, file, "truncation_side", "right", why) < 0)
        return -1;
    settings->strip_accents = json_member(config, "strip_accents") ? strip : -1;
    if (length && (!cJSON_IsNumber(length) || !(length->valuedouble >= 1)))
        return fail(why, "%s: model_max_length is not a number from 1", file);
    if (length)
        *limit = length->valuedouble;
    return read_special_tokens(file, config, settings, why);
}

/* The family of a tokenizer without a class is the model's. */
static int read_model_type(const struct model_paths *paths, struct tokenizer_settings *settings, struct reason *why)
{
    if (!model_has_file(paths->transformer, config_file))
        return 0;
    cJSON *config = model_read_json(paths->transformer, config_file, cJSON_Object, why);
    if (!config)
        return -1;
    const cJSON *type = json_member(config, "model_type");
    const int result = type ? copy_text(config_file, "model_type", type, settings->model, sizeof settings->model, why) : 0;
    cJSON_Delete(config);
    return result;
}

/* What sentence-transformers itself was told. Its token limit replaces the tokenizer's. */
static int read_sentence_config(const struct model_paths *paths, struct tokenizer_settings *settings, double *limit, struct reason *why)
{
    const char *file = "sentence_bert_config.json";
    if (!paths->is_sentence_model || !model_has_file(paths->transformer, file))
        return 0;
    cJSON *config = model_read_json(paths->transformer, file, cJSON_Object, why);
    if (!config)
        return -1;
    size_t tokens;
    int result = -1;
    if (json_get_size(config, file, "max_seq_length", 0, 1, 1048576, &tokens, why) == 0 &&
        json_get_flag(config, file, "do_lower_case", 0, &settings->lower_first, why) == 0 &&
        json_only_known(config, file, "transformer_task", "feature-extraction", why) == 0) {
        result = 0;
        if (tokens)
            *limit = (double)tokens;
    }
    cJSON_Delete(config);
    return result;
}

int model_read_tokenizer(const struct model_paths *paths, struct tokenizer_settings *settings, double *limit, struct reason *why)
{
    const char *file = "tokenizer_config.json";
    *settings = (struct tokenizer_settings){0};
    *limit = 0;
    fail(why, "out of memory");
    cJSON *config = model_has_file(paths->transformer, file) ? model_read_json(paths->transformer, file, cJSON_Object, why) : cJSON_CreateObject();
    if (!config)
        return -1;
    const int result = read_tokenizer(file, config, settings, limit, why);
    cJSON_Delete(config);
    return result < 0 || read_model_type(paths, settings, why) < 0 ? -1 : read_sentence_config(paths, settings, limit, why);
}
