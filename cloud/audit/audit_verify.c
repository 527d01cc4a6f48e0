/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the audit logs of all nodes, and compares them with what the signer noted. line_log_read() finds what breaks a
 * chain; here it is found what the lines say about each other.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cloud/audit/audit.h"
#include "cloud/audit/audit_signed.h"
#include "cloud/audit/line_log.h"

enum {
        NODES_MAX = 1024,
        KEY_MAX = 2048,
        UNDER_WAY_S = 60, /* a decision of that age has its outcome; requests are answered within 20 s */
};

struct verify {
        void (*fault)(void *context, const struct audit_fault *fault);
        void *context;
        struct audit_report report;
        struct audit_signed *signed_lines; /* NULL: there is no signer's log */
        int64_t now;

        /* Of the log that is read: */
        const char *node;
        bool begun;
        json_t *pending; /* key(): [file, line, time, allowed] */
};

/* --- faults -------------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static void report(struct verify *verify, const char *file, uint64_t line,
                                                         const char *format, ...) {
        struct audit_fault fault = {.line = line};
        va_list arguments;

        (void)snprintf(fault.file, sizeof(fault.file), "%s", file);
        va_start(arguments, format);
        (void)vsnprintf(fault.what, sizeof(fault.what), format, arguments);
        va_end(arguments);
        verify->report.faults++;
        if (verify->fault)
                verify->fault(verify->context, &fault);
}

static void chain_fault(void *context, const char *file, uint64_t number, const char *what) {
        report(context, file, number, "%s", what);
}

/* --- lines --------------------------------------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *name) {
        const char *text = json_string_value(json_object_get(object, name));

        return text ? text : "";
}

/* Unix seconds; 0 where it is no time. */
static int64_t time_of(const json_t *object) {
        struct tm tm = {.tm_sec = 0};

        return strptime(text_of(object, "time"), "%Y-%m-%dT%H:%M:%S", &tm) ? (int64_t)timegm(&tm) : 0;
}

/* A decision and its outcome have the same. Request ids are the server's own, without a blank. */
static void key(const json_t *object, char ret[static KEY_MAX]) {
        (void)snprintf(ret, KEY_MAX, "%s %s", text_of(object, "request_id"), text_of(object, "action"));
}

/* A later decision within a request is the one that counts: a Deny has its outcome in it. */
static int take_decision(struct verify *verify, const struct line_log_line *line) {
        bool allowed = strcmp(text_of(json_object_get(line->object, "decision"), "effect"), "Allow") == 0;
        json_t *value = json_pack("[s I I b]", line->file, (json_int_t)line->number, (json_int_t)time_of(line->object),
                                  allowed);
        char name[KEY_MAX];

        verify->report.decisions++;
        key(line->object, name);
        if (allowed && verify->signed_lines)
                audit_signed_decided(verify->signed_lines, text_of(line->object, "request_id"),
                                     text_of(line->object, "vm_id"));
        return json_object_set_new(verify->pending, name, value) < 0 ? -ENOMEM : 0;
}

static void take_outcome(struct verify *verify, const struct line_log_line *line) {
        char name[KEY_MAX];

        verify->report.outcomes++;
        key(line->object, name);
        if (json_object_del(verify->pending, name) < 0)
                report(verify, line->file, line->number, "removed: this outcome has no decision before it");
}

static int take_line(void *context, const struct line_log_line *line) {
        struct verify *verify = context;
        const char *kind = text_of(line->object, "kind"), *node = text_of(line->object, "node");

        verify->report.lines++;
        if (!verify->begun && line->seq > 1)
                report(verify, line->file, 0,
                       "removed: the log begins with its line %" PRIu64 "; put the older files beside it", line->seq);
        verify->begun = true;
        if (strcmp(node, verify->node) != 0)
                report(verify, line->file, line->number, "changed: a line of the node '%.64s'", node);
        if (verify->signed_lines)
                audit_signed_line(verify->signed_lines, line->hash);
        if (strcmp(kind, "decision") == 0)
                return take_decision(verify, line);
        if (strcmp(kind, "outcome") == 0)
                take_outcome(verify, line);
        return 0;
}

/* What is pending at the end of a log. */
static void report_pending(struct verify *verify) {
        const char *name;
        json_t *value;

        json_object_foreach(verify->pending, name, value) {
                int64_t time = json_integer_value(json_array_get(value, 2));

                if (json_is_true(json_array_get(value, 3)) && verify->now - time >= UNDER_WAY_S)
                        report(verify, json_string_value(json_array_get(value, 0)),
                               (uint64_t)json_integer_value(json_array_get(value, 1)),
                               "missing: this decision has no outcome (request %.64s)", name);
        }
}

/* --- logs ---------------------------------------------------------------------------------------------------------- */

static int read_node(struct verify *verify, const char *directory, const char *node,
                     char ret_why[static AUDIT_WHY_MAX]) {
        const struct line_log_reader reader = {.line = take_line, .fault = chain_fault, .context = verify};
        int r;

        verify->node = node;
        verify->begun = false;
        verify->pending = json_object();
        if (!verify->pending) {
                (void)snprintf(ret_why, AUDIT_WHY_MAX, "out of memory");
                return -ENOMEM;
        }
        r = line_log_read(directory, node, &reader, ret_why);
        if (r == -ENOMEM)
                (void)snprintf(ret_why, AUDIT_WHY_MAX, "%.100s: out of memory", directory);
        if (r == 0)
                report_pending(verify);
        json_decref(verify->pending);
        return r;
}

/* The names of the logs in the directory. */
static int list_nodes(const char *directory, json_t *ret, char ret_why[static AUDIT_WHY_MAX]) {
        DIR *dir = opendir(directory);
        char name[LINE_LOG_NAME_MAX];
        const struct dirent *entry;
        uint64_t first_seq;
        int r = 0;

        if (!dir) {
                r = -errno;
                (void)snprintf(ret_why, AUDIT_WHY_MAX, "%.100s: %s", directory, strerror(-r));
                return r;
        }
        while (r == 0) {
                errno = 0;
                entry = readdir(dir);
                if (!entry) {
                        r = -errno;
                        break;
                }
                if (line_log_file_name(entry->d_name, name, &first_seq) &&
                    json_object_set_new(ret, name, json_true()) < 0)
                        r = -ENOMEM;
                if (json_object_size(ret) > NODES_MAX)
                        r = -E2BIG;
        }
        (void)closedir(dir);
        if (r < 0)
                (void)snprintf(ret_why, AUDIT_WHY_MAX, "%.100s: cannot list: %s", directory, strerror(-r));
        return r;
}

static int read_nodes(struct verify *verify, const char *directory, char ret_why[static AUDIT_WHY_MAX]) {
        json_t *nodes = json_object(), *unused;
        const char *name;
        int r;

        if (!nodes) {
                (void)snprintf(ret_why, AUDIT_WHY_MAX, "out of memory");
                return -ENOMEM;
        }
        r = list_nodes(directory, nodes, ret_why);
        json_object_foreach(nodes, name, unused)
                if (r == 0)
                        r = read_node(verify, directory, name, ret_why);
        if (r == 0 && json_object_size(nodes) == 0)
                report(verify, directory, 0, "removed: there is no audit log here");
        json_decref(nodes);
        return r;
}

int audit_verify(const char *directory, const char *signer_log, void (*fault)(void *, const struct audit_fault *),
                 void *context, struct audit_report *ret, char ret_why[static AUDIT_WHY_MAX]) {
        struct verify verify = {.fault = fault, .context = context, .now = (int64_t)time(NULL)};
        int r = 0;

        /* First, so that what it has is in the audit logs, which go on meanwhile. */
        if (signer_log)
                r = audit_signed_read(signer_log, chain_fault, &verify, &verify.signed_lines, ret_why);
        if (r == 0)
                r = read_nodes(&verify, directory, ret_why);
        if (r == 0 && signer_log)
                verify.report.signed_requests = audit_signed_report(verify.signed_lines, chain_fault, &verify);
        audit_signed_free(verify.signed_lines);
        if (r < 0)
                return r;
        *ret = verify.report;
        return 0;
}
