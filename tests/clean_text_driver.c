/* clean_text line by line: IN holds texts as JSON strings, one a line; the cleaned texts go to standard output in the same form. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/lib/clean_text.h"
#include "../tools/lib/json_stream.h"

static int clean_lines(FILE *in)
{
    char *line = NULL;
    size_t room = 0;
    int status = 0;
    struct text_buffer text = {0}, cleaned = {0}, json = {0};
    for (ssize_t count; (count = getline(&line, &room, in)) >= 0;) {
        struct json_span span = {line, strcspn(line, "\n")};
        struct reason why;
        text_clear(&text);
        text_clear(&cleaned);
        text_clear(&json);
        if (json_decode_string(span, &text) < 0)
            status = fail(&why, "not a JSON string");
        else
            status = clean_text(text.bytes ? text.bytes : "", text.count, &cleaned, &why);
        if (status < 0) {
            message(MESSAGE_ERROR, NULL, "%s", why.text);
            break;
        }
        text_add_json_string(&json, cleaned.bytes ? cleaned.bytes : "", cleaned.count);
        puts(json.bytes);
    }
    text_free(&text);
    text_free(&cleaned);
    text_free(&json);
    free(line);
    return status;
}

int main(int argc, char **argv)
{
    if (message_init(argv[0]) < 0)
        return 2;
    if (argc != 2)
        return usage_error("one argument: a file of JSON strings");
    FILE *in = fopen(argv[1], "r");
    if (!in) {
        message(MESSAGE_ERROR, argv[1], "cannot be read: %s", strerror(errno));
        return 1;
    }
    int status = clean_lines(in);
    return fclose(in) != 0 || fclose(stdout) != 0 || status < 0;
}
