/* subword_driver MODEL.json: ids of the pieces on stdin, a piece a line, by the engine that the model object's "type" names;
 * a JSON list a line on stdout. For tests and for comparison with the tokenizers package. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/lib/bpe.h"
#include "../tools/lib/unigram.h"
#include "../tools/lib/whole_file.h"
#include "../tools/lib/wordpiece_model.h"

struct engine { struct bpe *bpe; struct unigram *unigram; struct wordpiece_model *wordpiece; };

static int open_engine(struct engine *engine, const cJSON *model, struct reason *why)
{
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(model, "type"));
    if (type && strcmp(type, "BPE") == 0)
        return (engine->bpe = bpe_open(model, why)) ? 0 : -1;
    if (type && strcmp(type, "Unigram") == 0)
        return (engine->unigram = unigram_open(model, why)) ? 0 : -1;
    if (type && strcmp(type, "WordPiece") == 0)
        return (engine->wordpiece = wordpiece_model_open(model, why)) ? 0 : -1;
    return fail(why, "type %s is not known", type ? type : "(none)");
}

static int encode(struct engine *engine, const char *piece, size_t bytes, struct token_ids *ids, struct reason *why)
{
    if (engine->bpe)
        return bpe_encode(engine->bpe, piece, bytes, ids, why);
    if (engine->unigram)
        return unigram_encode(engine->unigram, piece, bytes, ids, why);
    return wordpiece_model_encode(engine->wordpiece, piece, bytes, ids, why);
}

int main(int argc, char **argv)
{
    struct whole_file file = {0};
    struct engine engine = {0};
    struct token_ids ids = {0};
    struct reason why;
    char *line = NULL;
    size_t room = 0;
    int status = argc == 2 && whole_file_read(argv[1], &file, &why) == 0 ? 0 : 2;
    cJSON *model = status ? NULL : cJSON_ParseWithLength((const char *)file.bytes, file.count);
    if (!model || open_engine(&engine, model, &why) < 0) {
        printf("refused: %s\n", model ? why.text : "not JSON");
        status = 1;
    }
    cJSON_Delete(model);
    for (ssize_t length; status == 0 && (length = getline(&line, &room, stdin)) >= 0;) {
        if (length && line[length - 1] == '\n')
            length--;
        ids.count = 0;
        if (encode(&engine, line, (size_t)length, &ids, &why) < 0) {
            printf("failed: %s\n", why.text);
            continue;
        }
        for (size_t i = 0; i < ids.count; i++)
            printf("%s%d", i ? "," : "[", (int)ids.ids[i]);
        puts(ids.count ? "]" : "[]");
    }
    free(line);
    free(ids.ids);
    bpe_close(engine.bpe);
    unigram_close(engine.unigram);
    wordpiece_model_close(engine.wordpiece);
    whole_file_free(&file);
    return status || fflush(stdout);
}
