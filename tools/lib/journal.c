#include "journal.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "amounts.h"
#include "text_buffer.h"
#include "whole_file.h"

enum { MOST_BYTES = 1 << 20 }; /* of the journal's end are read */

static const char *const stage_names[PROGRESS_STAGES] = {"midi", "text"};
static const char *const state_names[] = {"open", "interrupted", "complete"};

static char *journal_path(const char *work)
{
    char *path = NULL;
    return asprintf(&path, "%s/journal", work) < 0 ? NULL : path;
}

/* ---- reading ---- */

/* Whether the line is whole: `,"check":"<16 digits>"}` at its end is of the bytes before. */
static int is_sound(const char *line, size_t length)
{
    char wanted[32];
    const size_t tail = sizeof ",\"check\":\"0123456789abcdef\"}" - 1;
    if (length <= tail || memchr(line, 0, length))
        return 0;
    snprintf(wanted, sizeof wanted, ",\"check\":\"%016llx\"}", (unsigned long long)hash_bytes(line, length - tail).low);
    return memcmp(line + length - tail, wanted, tail) == 0;
}

static double number_in(const cJSON *object, const char *name)
{
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(number) && number->valuedouble >= 0 && number->valuedouble < 1e15 ? number->valuedouble : 0;
}

static void copy_hash(const cJSON *object, const char *name, char hash[HASH_HEX + 1])
{
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(object, name);
    struct hash value;
    hash[0] = 0;
    if (cJSON_IsString(text) && strlen(text->valuestring) == HASH_HEX && hash_from_hex(text->valuestring, &value) == 0)
        hash_to_hex(value, hash);
}

static struct journal_run *find_run(const struct journal *journal, long long run)
{
    for (size_t i = journal->count; i > 0; i--)
        if (journal->runs[i - 1].run == run)
            return &journal->runs[i - 1];
    return NULL;
}

static int add_begin(struct journal *journal, const cJSON *line, long long name, struct reason *why)
{
    struct journal_run *runs = reallocarray(journal->runs, journal->count + 1, sizeof *runs);
    if (!runs)
        return fail(why, "out of memory");
    journal->runs = runs;
    struct journal_run *run = &runs[journal->count++];
    *run = (struct journal_run){.run = name};
    copy_hash(line, "outputs", run->outputs);
    copy_hash(line, "tok", run->signatures[PROGRESS_MIDI]);
    copy_hash(line, "emb", run->signatures[PROGRESS_TEXT]);
    return 0;
}

static void add_end(struct journal_run *run, const cJSON *line)
{
    const cJSON *state = cJSON_GetObjectItemCaseSensitive(line, "state");
    run->state = cJSON_IsString(state) && strcmp(state->valuestring, state_names[JOURNAL_COMPLETE]) == 0 ? JOURNAL_COMPLETE : JOURNAL_INTERRUPTED;
    run->seconds = number_in(line, "seconds");
    for (int stage = 0; stage < PROGRESS_STAGES; stage++) {
        const cJSON *figures = cJSON_GetObjectItemCaseSensitive(line, stage_names[stage]);
        run->done[stage] = (unsigned long long)number_in(figures, "done");
        run->quarantined[stage] = (unsigned long long)number_in(figures, "quarantined");
        run->per_second[stage] = number_in(figures, "per_second");
    }
}

static int add_line(struct journal *journal, const char *text, size_t length, struct reason *why)
{
    int sound = is_sound(text, length);
    errno = 0;
    cJSON *line = sound ? cJSON_ParseWithLength(text, length) : NULL;
    if (sound && !line && errno == ENOMEM) /* the parser does not tell it from a fault in the text */
        return fail(why, "out of memory");
    const cJSON *run = cJSON_GetObjectItemCaseSensitive(line, "run");
    long long name = cJSON_IsNumber(run) && run->valuedouble > 0 && run->valuedouble < 9e15 ? (long long)run->valuedouble : 0;
    int result = 0;
    struct journal_run *known = name ? find_run(journal, name) : NULL;
    if (!name)
        journal->unreadable++;
    else if (cJSON_HasObjectItem(line, "begin") && !known)
        result = add_begin(journal, line, name, why);
    else if (cJSON_HasObjectItem(line, "end") && known)
        add_end(known, line);
    cJSON_Delete(line);
    return result;
}

static int read_end(int descriptor, off_t size, struct journal *journal, struct reason *why)
{
    size_t wanted = size > MOST_BYTES ? MOST_BYTES : (size_t)size, count = 0;
    char *bytes = malloc(wanted + 1);
    if (!bytes)
        return fail(why, "out of memory");
    while (count < wanted) {
        ssize_t more = pread(descriptor, bytes + count, wanted - count, size - (off_t)(wanted - count));
        if (more < 0 && errno == EINTR)
            continue;
        if (more <= 0)
            break;
        count += (size_t)more;
    }
    int result = count < wanted ? fail_errno(why, "cannot be read") : 0;
    const char *end = bytes + count, *line = bytes;
    if (size > MOST_BYTES) { /* it begins within a line */
        const char *first = memchr(bytes, '\n', count);
        line = first ? first + 1 : end;
    }
    while (result == 0 && line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        stop = stop ? stop : end;
        if (stop > line)
            result = add_line(journal, line, (size_t)(stop - line), why);
        line = stop + 1;
    }
    free(bytes);
    return result;
}

int journal_read(const char *work, struct journal *journal, struct reason *why)
{
    struct stat status;
    struct reason cause;
    char *path = journal_path(work);
    *journal = (struct journal){0};
    if (!path)
        return fail(why, "out of memory");
    int descriptor = open_regular(path, &status, &cause), error = errno;
    int result = descriptor >= 0 ? read_end(descriptor, status.st_size, journal, &cause) : error == ENOENT ? 0 : -1;
    if (descriptor >= 0)
        close(descriptor);
    if (result < 0) {
        fail(why, "%s: %s", path, cause.text);
        journal_free(journal);
    }
    free(path);
    return result;
}

void journal_free(struct journal *journal)
{
    free(journal->runs);
    *journal = (struct journal){0};
}

long long journal_run_of(const struct progress_figures *figures)
{
    return llround(figures->started * 1e6);
}

const struct journal_run *journal_find(const struct journal *journal, long long run)
{
    return find_run(journal, run);
}

double journal_speed(const struct journal *journal, enum progress_stage stage, const char *signature)
{
    for (size_t i = journal->count; i > 0; i--)
        if (journal->runs[i - 1].per_second[stage] > 0 && strcmp(journal->runs[i - 1].signatures[stage], signature) == 0)
            return journal->runs[i - 1].per_second[stage];
    return 0;
}

/* ---- appending ---- */

/* The text with its check and an end of line, by one write: lines of two makes at once do not mix. */
static int append(const char *path, struct text_buffer *text, struct reason *why)
{
    char last = '\n';
    struct stat status;
    text_add(text, "", 0);
    if (text->failed)
        return fail(why, "out of memory");
    text_printf(text, ",\"check\":\"%016llx\"}\n", (unsigned long long)hash_bytes(text->bytes, text->count).low);
    int descriptor = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (descriptor < 0 || text->failed)
        return text->failed ? fail(why, "out of memory") : fail_errno(why, "cannot be opened");
    int result = fstat(descriptor, &status) < 0 ? fail_errno(why, "cannot be read") : S_ISREG(status.st_mode) ? 0 : fail(why, "not a regular file");
    /* A line that a full disk has cut is ended first. */
    if (result == 0 && status.st_size > 0 && pread(descriptor, &last, 1, status.st_size - 1) == 1 && last != '\n' && write(descriptor, "\n", 1) != 1)
        result = fail_errno(why, "cannot be written");
    for (size_t written = 0; result == 0 && written < text->count;) {
        ssize_t count = write(descriptor, text->bytes + written, text->count - written);
        if (count < 0 && errno != EINTR)
            result = fail_errno(why, "cannot be written");
        written += count > 0 ? (size_t)count : 0;
    }
    const char *sync = getenv("FSYNC");
    if (result == 0 && sync && strcmp(sync, "1") == 0 && fsync(descriptor) < 0)
        result = fail_errno(why, "cannot be synced");
    if (close(descriptor) < 0 && result == 0)
        result = fail_errno(why, "cannot be closed");
    return result;
}

static void append_or_warn(const char *work, struct text_buffer *text)
{
    struct reason why;
    char *path = journal_path(work);
    if (!path || append(path, text, &why) < 0)
        message(MESSAGE_WARNING, path, "%s; this run is not noted", path ? why.text : "out of memory");
    free(path);
    text_free(text);
}

static void start_line(struct text_buffer *text, const struct progress_figures *figures, const char *event, double seconds)
{
    char when[AMOUNT];
    text_printf(text, "{\"run\":%lld,\"%s\":\"%s\"", journal_run_of(figures), event, format_moment(seconds, when));
}

void journal_begin(const char *work, const struct progress_figures *figures, const char *outputs, const struct plan_record *plan)
{
    struct text_buffer text = {0};
    start_line(&text, figures, "begin", figures->started);
    text_printf(&text, ",\"outputs\":\"%s\",\"tok\":\"%s\",\"emb\":\"%s\"", outputs, plan->tok, plan->emb);
    for (int stage = 0; stage < PROGRESS_STAGES; stage++)
        text_printf(&text, ",\"%s\":{\"total\":%llu,\"finished\":%llu}", stage_names[stage], (unsigned long long)figures->total[stage],
                    (unsigned long long)figures->finished[stage]);
    text_add_string(&text, ",\"settings\":{");
    const char *comma = "";
    for (size_t i = 0; i < plan->setting_count; i++) {
        const struct plan_setting *setting = &plan->settings[i];
        if (strcmp(setting->scope, "contents") == 0)
            continue;
        text_add_string(&text, comma);
        text_add_json_string(&text, setting->name, strlen(setting->name));
        text_add_string(&text, ":");
        text_add_json_string(&text, setting->value, strlen(setting->value));
        comma = ",";
    }
    text_add_string(&text, "}");
    append_or_warn(work, &text);
}

void journal_end(const char *work, const struct progress_figures *figures, enum journal_state state)
{
    struct text_buffer text = {0};
    struct progress_figures run = *figures;
    if (state != JOURNAL_COMPLETE)
        run.wall_seconds = run.work_seconds;
    start_line(&text, &run, "end", run.started + run.wall_seconds);
    text_printf(&text, ",\"state\":\"%s\",\"seconds\":%.3f", state_names[state], run.wall_seconds);
    for (int stage = 0; stage < PROGRESS_STAGES; stage++)
        text_printf(&text, ",\"%s\":{\"done\":%llu,\"quarantined\":%llu,\"copied\":%llu,\"seconds\":%.3f,\"per_second\":%.4g}", stage_names[stage],
                    (unsigned long long)run.done[stage], (unsigned long long)run.quarantined[stage], (unsigned long long)run.copied[stage], run.busy_seconds[stage],
                    progress_speed(&run, (enum progress_stage)stage));
    append_or_warn(work, &text);
}
