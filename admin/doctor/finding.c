/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/finding.h"

#include <stdarg.h>
#include <string.h>

#include "cli/output.h"
#include "cli/value.h"
#include "wire/terminal.h"

enum { STATUS_WIDTH = 9, NAME_WIDTH = 21 };

struct line {
        char *text;
        size_t used;
        bool full;
};

static void add(struct line *to, const char *text, size_t n) {
        if (to->full || n >= REMEDY_MAX - to->used) {
                to->full = true;
                return;
        }
        memcpy(to->text + to->used, text, n);
        to->used += n;
        to->text[to->used] = '\0';
}

/* Bytes that mean nothing to a shell, wherever they stand. A word of anything else is put into single quotes. */
static bool harmless(const char *word) {
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-:@%+,=";

        return *word && word[strspn(word, plain)] == '\0';
}

static void add_word(struct line *to, const char *word) {
        if (harmless(word)) {
                add(to, word, strlen(word));
                return;
        }
        add(to, "'", 1);
        for (const char *c = word; *c; c++)
                if (*c == '\'')
                        add(to, "'\\''", 4);
                else
                        add(to, c, 1);
        add(to, "'", 1);
}

struct remedy remedy_of(const char *format, ...) {
        struct remedy remedy = {.command = ""};
        struct line line = {.text = remedy.command};
        va_list arguments;
        char number[24];

        va_start(arguments, format);
        for (const char *c = format; *c; c++) {
                if (*c != '%') {
                        add(&line, c, 1);
                        continue;
                }
                switch (*++c) {
                case 's':
                        add_word(&line, va_arg(arguments, const char *));
                        break;
                case 'u':
                        (void)snprintf(number, sizeof(number), "%u", va_arg(arguments, unsigned));
                        add(&line, number, strlen(number));
                        break;
                case 'o':
                        (void)snprintf(number, sizeof(number), "%04o", va_arg(arguments, unsigned));
                        add(&line, number, strlen(number));
                        break;
                case '%':
                        add(&line, "%", 1);
                        break;
                default:
                        line.full = true;
                }
                if (line.full)
                        break;
        }
        va_end(arguments);
        if (line.full)
                remedy.command[0] = '\0';
        return remedy;
}

struct remedy remedy_both(struct remedy first, struct remedy second) {
        struct remedy remedy = NO_REMEDY;
        int n;

        if (!first.command[0] || !second.command[0])
                return first.command[0] ? first : second;
        n = snprintf(remedy.command, sizeof(remedy.command), "%s && %s", first.command, second.command);
        if (n >= (int)sizeof(remedy.command))
                remedy.command[0] = '\0';
        return remedy;
}

/* Paths and names can be any bytes; JSON is UTF-8. */
static void make_utf8(char *text) {
        if (value_utf8(text))
                return;
        for (char *c = text; *c; c++)
                if ((unsigned char)*c >= 0x80)
                        *c = '?';
}

__attribute__((format(printf, 5, 0))) static void add_finding(struct findings *to, enum finding_status status,
                                                              const char *name, const struct remedy *remedy,
                                                              const char *format, va_list arguments) {
        struct finding *finding;

        if (to->n >= FINDINGS_MAX)
                return;
        finding = &to->at[to->n];
        *finding = (struct finding){.status = status};
        (void)snprintf(finding->name, sizeof(finding->name), "%s", name);
        (void)vsnprintf(finding->text, sizeof(finding->text), format, arguments);
        make_utf8(finding->text);
        /* A command with a byte changed in it would be another command. */
        if (value_utf8(remedy->command))
                finding->remedy = *remedy;
        to->n++;
}

void pass(struct findings *to, const char *name, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        add_finding(to, FINDING_PASS, name, &NO_REMEDY, format, arguments);
        va_end(arguments);
}

void warn(struct findings *to, const char *name, struct remedy remedy, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        add_finding(to, FINDING_WARNING, name, &remedy, format, arguments);
        va_end(arguments);
}

void fail(struct findings *to, const char *name, struct remedy remedy, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        add_finding(to, FINDING_FAILURE, name, &remedy, format, arguments);
        va_end(arguments);
}

void found(struct findings *to, enum finding_status status, const char *name, struct remedy remedy, const char *format,
           ...) {
        va_list arguments;

        va_start(arguments, format);
        add_finding(to, status, name, &remedy, format, arguments);
        va_end(arguments);
}

size_t findings_count(const struct findings *findings, const char *name) {
        size_t n = 0;

        for (size_t i = 0; i < findings->n; i++)
                n += strcmp(findings->at[i].name, name) == 0;
        return n;
}

const struct finding *findings_first(const struct findings *findings, enum finding_status status) {
        for (size_t i = 0; i < findings->n; i++)
                if (findings->at[i].status == status)
                        return &findings->at[i];
        return NULL;
}

const struct finding *findings_first_failure(const struct findings *findings) {
        static const enum finding_status order[] = {FINDING_FAILURE, FINDING_OPEN_FAILURE, FINDING_HOST_FAILURE,
                                                    FINDING_LAX_FAILURE};
        const struct finding *found = NULL;

        for (size_t i = 0; i < sizeof(order) / sizeof(order[0]) && !found; i++)
                found = findings_first(findings, order[i]);
        return found;
}

const char *finding_status_name(enum finding_status status) {
        switch (status) {
        case FINDING_PASS:
                return "pass";
        case FINDING_WARNING:
        case FINDING_MORE_WARNING:
        case FINDING_CLIENT_WARNING:
                return "warning";
        case FINDING_FAILURE:
        case FINDING_OPEN_FAILURE:
        case FINDING_HOST_FAILURE:
        case FINDING_LAX_FAILURE:
                break;
        }
        return "failure";
}

void finding_print(FILE *to, const struct finding *finding) {
        static const enum output_style styles[] = {[FINDING_PASS] = OUTPUT_GOOD,
                                                   [FINDING_WARNING] = OUTPUT_WARNING,
                                                   [FINDING_MORE_WARNING] = OUTPUT_WARNING,
                                                   [FINDING_CLIENT_WARNING] = OUTPUT_WARNING,
                                                   [FINDING_FAILURE] = OUTPUT_BAD,
                                                   [FINDING_OPEN_FAILURE] = OUTPUT_BAD,
                                                   [FINDING_HOST_FAILURE] = OUTPUT_BAD,
                                                   [FINDING_LAX_FAILURE] = OUTPUT_BAD};

        print_styled(to, styles[finding->status], finding_status_name(finding->status), STATUS_WIDTH);
        (void)fputs(finding->name, to);
        print_wrapped(to, STATUS_WIDTH + strlen(finding->name), STATUS_WIDTH + NAME_WIDTH, STATUS_WIDTH, finding->text);
        (void)fputc('\n', to);
        if (!finding->remedy.command[0])
                return;
        (void)fprintf(to, "%*sremedy: ", STATUS_WIDTH, "");
        terminal_print(to, finding->remedy.command);
        (void)fputc('\n', to);
}

json_t *findings_json(const struct findings *findings) {
        json_t *list = json_array();

        for (size_t i = 0; list && i < findings->n; i++) {
                const struct finding *finding = &findings->at[i];
                const char *remedy = finding->remedy.command[0] ? finding->remedy.command : NULL;
                json_t *one = json_pack("{ss ss ss ss?}", "name", finding->name, "status",
                                        finding_status_name(finding->status), "text", finding->text, "remedy", remedy);

                if (!one || json_array_append_new(list, one) < 0) {
                        json_decref(list);
                        list = NULL;
                }
        }
        return list;
}
