/* modules.json and what it points to: the modules of sentence-transformers behind the encoder. A part of model_config.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_config.h"

/* ---- pooling ---- */

static const struct { const char *name, *old_key; } poolings[POOLING_MODES] = {
    [POOLING_CLS] = {"cls", "pooling_mode_cls_token"},
    [POOLING_MAX] = {"max", "pooling_mode_max_tokens"},
    [POOLING_MEAN] = {"mean", "pooling_mode_mean_tokens"},
    [POOLING_MEAN_SQRT_LEN] = {"mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens"},
    [POOLING_WEIGHTED_MEAN] = {"weightedmean", "pooling_mode_weightedmean_tokens"},
    [POOLING_LAST_TOKEN] = {"lasttoken", "pooling_mode_lasttoken"},
};

const char *pooling_name(enum pooling pooling)
{
    return poolings[pooling].name;
}

int pooling_from_name(const char *name)
{
    for (int i = 0; i < POOLING_MODES; i++)
        if (strcmp(poolings[i].name, name) == 0)
            return i;
    return -1;
}

static int add_pooling(struct model_folder *model, const char *file, const cJSON *mode, struct reason *why)
{
    int pooling = cJSON_IsString(mode) ? pooling_from_name(mode->valuestring) : -1;
    if (pooling < 0)
        return fail(why, "%s: pooling_mode %s is not known", file, cJSON_IsString(mode) ? mode->valuestring : "(not a string)");
    if (model->poolings == POOLING_MODES)
        return fail(why, "%s: more than %d pooling modes", file, POOLING_MODES);
    model->pooling[model->poolings++] = (enum pooling)pooling;
    return 0;
}

/* The new key holds a mode or a list of them; the old keys are one flag a mode. No flag set means mean. */
static int read_pooling_modes(struct model_folder *model, const char *file, const cJSON *config, struct reason *why)
{
    const cJSON *modes = json_member(config, "pooling_mode"), *mode;
    if (modes && !cJSON_IsArray(modes))
        return add_pooling(model, file, modes, why);
    if (modes) {
        cJSON_ArrayForEach(mode, modes)
            if (add_pooling(model, file, mode, why) < 0)
                return -1;
        return model->poolings ? 0 : fail(why, "%s: pooling_mode is an empty list", file);
    }
    for (int i = 0; i < POOLING_MODES; i++) {
        int set;
        if (json_get_flag(config, file, poolings[i].old_key, 0, &set, why) < 0)
            return -1;
        if (set)
            model->pooling[model->poolings++] = (enum pooling)i;
    }
    if (!model->poolings)
        model->pooling[model->poolings++] = POOLING_MEAN;
    return 0;
}

static int read_pooling(struct model_folder *model, const char *folder, const char *module, struct model_paths *paths, struct reason *why)
{
    char file[300];
    int include_prompt;
    snprintf(file, sizeof file, "%.250s/config.json", module);
    cJSON *config = model_read_json(folder, file, cJSON_Object, why);
    if (!config)
        return -1;
    int result = read_pooling_modes(model, file, config, why);
    if (result == 0)
        result = json_get_flag(config, file, "include_prompt", 1, &include_prompt, why);
    if (result == 0)
        paths->skips_prompt = !include_prompt;
    cJSON_Delete(config);
    return result;
}

/* ---- dense layers ---- */

static int activation_from_name(const char *name)
{
    static const char *const names[ACTIVATIONS] = {
        [ACTIVATION_IDENTITY] = "Identity", [ACTIVATION_TANH] = "Tanh", [ACTIVATION_RELU] = "ReLU", [ACTIVATION_GELU] = "GELU", [ACTIVATION_SIGMOID] = "Sigmoid",
    };
    const char *dot = strrchr(name, '.');
    for (int i = 0; i < ACTIVATIONS; i++)
        if (strncmp(name, "torch.nn.", 9) == 0 && strcmp(names[i], dot + 1) == 0)
            return i;
    return -1;
}

static int read_dense_config(const cJSON *config, const char *file, size_t inputs, struct model_dense *dense, struct reason *why)
{
    const char *name;
    int bias, residual;
    if (json_get_size(config, file, "in_features", 0, 1, 1048576, &dense->inputs, why) < 0 ||
        json_get_size(config, file, "out_features", 0, 1, 1048576, &dense->outputs, why) < 0 ||
        json_get_text(config, file, "activation_function", "torch.nn.modules.activation.Tanh", &name, why) < 0 ||
        json_get_flag(config, file, "bias", 1, &bias, why) < 0 || json_get_flag(config, file, "use_residual", 0, &residual, why) < 0 ||
        json_only_known(config, file, "module_input_name", "sentence_embedding", why) < 0 ||
        json_only_known(config, file, "module_output_name", "sentence_embedding", why) < 0)
        return -1;
    const int activation = activation_from_name(name);
    if (activation < 0)
        return fail(why, "%s: activation_function %s is not known", file, name);
    if (residual)
        return fail(why, "%s: use_residual is set, which is not known", file);
    if (dense->inputs != inputs || !dense->outputs)
        return fail(why, "%s: in_features %zu do not fit the %zu numbers before it, or there are no out_features", file, dense->inputs, inputs);
    dense->activation = (enum activation)activation;
    static const float one;
    dense->bias = bias ? &one : NULL; /* found with the weights */
    return 0;
}

int model_read_dense(const struct model_paths *paths, struct model_folder *model, struct reason *why)
{
    size_t width = model->poolings * model->hidden;
    for (size_t i = 0; i < model->denses; i++) {
        cJSON *config = model_read_json(paths->dense[i], "config.json", cJSON_Object, why);
        if (!config)
            return -1;
        const int result = read_dense_config(config, "Dense: config.json", width, &model->dense[i], why);
        cJSON_Delete(config);
        if (result < 0)
            return -1;
        width = model->dense[i].outputs;
    }
    model->dimension = width;
    return 0;
}

/* ---- the list of modules ---- */

/* Inside the folder, and where plan looks for what decides a signature (signature_cache.c): two folders deep, and nothing hidden. */
static int is_module_path(const char *path)
{
    size_t length = strlen(path), deep = 0;
    if (*path == '/' || length > 250)
        return 0;
    for (const char *at = path; *at; at += strspn(at, "/")) {
        const size_t part = strcspn(at, "/");
        if (*at == '.' && part > 1)
            return 0;
        deep += *at != '.';
        at += part;
    }
    return deep <= 2;
}

static int module_path(const cJSON *entry, const char **path, struct reason *why)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(entry, "path");
    if (!cJSON_IsString(value) || !is_module_path(value->valuestring))
        return fail(why, "modules.json: a module's path is not one inside the folder, at most two folders deep and not hidden");
    *path = value->valuestring;
    return 0;
}

static int read_module(const cJSON *entry, int position, const char *folder, struct model_paths *paths, struct model_folder *model, struct reason *why)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(entry, "type");
    const char *path = NULL;
    if (!cJSON_IsString(type))
        return fail(why, "modules.json: a module without a type");
    const char *dot = strrchr(type->valuestring, '.');
    const char *name = dot ? dot + 1 : type->valuestring;
    if (module_path(entry, &path, why) < 0)
        return -1;
    if (position == 0 && strcmp(name, "Transformer") == 0)
        return *path ? model_file(folder, path, paths->transformer, why) : 0;
    if (position == 1 && strcmp(name, "Pooling") == 0)
        return read_pooling(model, folder, path, paths, why);
    if (position > 1 && strcmp(name, "Dense") == 0 && !model->normalize && model->denses < MODEL_DENSE)
        return model_file(folder, path, paths->dense[model->denses++], why);
    if (position > 1 && strcmp(name, "Normalize") == 0 && !model->normalize) {
        model->normalize = 1;
        return 0;
    }
    return fail(why, "modules.json: module %d is %s; known are Transformer, Pooling and then, not always, Dense (up to %d) and Normalize, in this order", position, name,
                MODEL_DENSE);
}

int model_read_modules(const char *folder, struct model_paths *paths, struct model_folder *model, struct reason *why)
{
    if (snprintf(paths->folder, MODEL_PATH, "%s", folder) >= MODEL_PATH || snprintf(paths->transformer, MODEL_PATH, "%s", folder) >= MODEL_PATH)
        return fail(why, "the path is too long");
    if (!model_has_file(folder, "modules.json")) {
        model->pooling[model->poolings++] = POOLING_MEAN;
        return 0;
    }
    cJSON *modules = model_read_json(folder, "modules.json", cJSON_Array, why);
    if (!modules)
        return -1;
    paths->is_sentence_model = 1;
    int position = 0, result = 0;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, modules)
        if ((result = read_module(entry, position++, folder, paths, model, why)) < 0)
            break;
    cJSON_Delete(modules);
    if (result == 0 && position <= 1)
        return fail(why, "modules.json: there is no %s", position ? "Pooling" : "Transformer");
    return result;
}

/* ---- prompts ---- */

static const char sentence_file[] = "config_sentence_transformers.json";

/* The prompt that the configuration has for `wanted`; its name stands for itself where there is none. */
static int choose_prompt(const cJSON *config, const char *wanted, const char **prompt, struct reason *why)
{
    const cJSON *prompts = json_member(config, "prompts");
    const char *name;
    if (json_get_text(config, sentence_file, "default_prompt_name", NULL, &name, why) < 0)
        return -1;
    if (wanted)
        name = wanted;
    *prompt = wanted ? wanted : "";
    if (!name)
        return 0;
    const cJSON *named = json_member(prompts, name);
    if (named && !cJSON_IsString(named))
        return fail(why, "%s: the prompt %s is not a string", sentence_file, name);
    if (named)
        *prompt = named->valuestring;
    else if (strcmp(name, "query") == 0 || strcmp(name, "document") == 0) /* names that every model has, without a prompt if it does not say */
        *prompt = "";
    else if (!wanted)
        return fail(why, "%s: there is no prompt %s, the default", sentence_file, name);
    return 0;
}

char *model_read_prompt(const struct model_paths *paths, const char *wanted, struct reason *why)
{
    fail(why, "out of memory");
    if (!paths->is_sentence_model || !model_has_file(paths->folder, sentence_file))
        return strdup(wanted ? wanted : "");
    cJSON *config = model_read_json(paths->folder, sentence_file, cJSON_Object, why);
    if (!config)
        return NULL;
    const char *prompt = NULL;
    char *copy = NULL;
    if (choose_prompt(config, wanted, &prompt, why) == 0 && !(copy = strdup(prompt)))
        fail(why, "out of memory");
    cJSON_Delete(config);
    return copy;
}
