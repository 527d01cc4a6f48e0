/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/signer/signer_log.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/signer/signer_request.h"

struct signer_log {
        char *directory;
        pthread_mutex_t lock; /* of `lines` */
        struct line_log *lines;
};

/* --- the line ----------------------------------------------------------------------------------------------------- */

static bool add(json_t *object, const char *name, json_t *value) {
        return json_object_set_new(object, name, value) == 0;
}

static bool add_text(json_t *object, const char *name, const char *text) {
        return !text || !*text || add(object, name, json_string(text));
}

static bool add_number(json_t *object, const char *name, int64_t number) {
        return number == 0 || add(object, name, json_integer(number));
}

static bool add_fingerprints(json_t *object, const struct signer_request *request) {
        json_t *list;

        if (request->fingerprints[0][0] == '\0')
                return true;
        list = json_array();
        for (size_t i = 0; i < PUSH_MADE_KEYS_MAX && request->fingerprints[i][0] != '\0'; i++)
                if (json_array_append_new(list, json_string(request->fingerprints[i])) < 0) {
                        json_decref(list);
                        return false;
                }
        return add(object, SIGNER_LOG_FINGERPRINTS, list);
}

static bool add_sources(json_t *object, const struct signer_request *request) {
        json_t *list;

        if (request->n_sources == 0)
                return true;
        list = json_array();
        for (size_t i = 0; i < request->n_sources; i++) {
                char text[SOURCE_TEXT_MAX];

                source_to_text(&request->sources[i], text);
                if (json_array_append_new(list, json_string(text)) < 0) {
                        json_decref(list);
                        return false;
                }
        }
        return add(object, "sources", list);
}

static bool add_request(json_t *object, const struct signer_request *request) {
        return add_text(object, SIGNER_LOG_REQUEST_ID, request->request_id) &&
               add_text(object, SIGNER_LOG_PRINCIPAL, request->principal) &&
               add_text(object, SIGNER_LOG_INSTANCE, request->instance) &&
               add_text(object, SIGNER_LOG_USER, request->user) && add_fingerprints(object, request) &&
               (!request->all || add(object, "all", json_true())) &&
               (request->connections < 0 || add(object, "connections", json_integer(request->connections))) &&
               add_sources(object, request) && (!request->restricted || add(object, "restrict", json_true())) &&
               (request->challenge[0] == '\0' || add(object, "challenge", json_true())) &&
               add_text(object, SIGNER_LOG_AUDIT_HEAD, request->audit_head);
}

/* The caller drops it; NULL without memory. */
static json_t *make_line(const struct signer_log_entry *entry) {
        json_t *object = json_object();
        bool ok;

        ok = object &&
             add_text(object, SIGNER_LOG_KIND,
                      entry->request->kind == SIGNER_PUSH ? SIGNER_KIND_PUSH : SIGNER_KIND_REVOKE) &&
             add_text(object, SIGNER_LOG_OUTCOME, entry->outcome) && add_request(object, entry->request) &&
             add_text(object, SIGNER_LOG_JTI, entry->jti) && add_number(object, "iat", entry->iat) &&
             add_number(object, "exp", entry->exp) && add_number(object, "ttl", entry->ttl) &&
             add_text(object, "pae_sha256", entry->pae_sha256) && add_text(object, "error", entry->error) &&
             add_text(object, "field", entry->field) && add_text(object, "message", entry->message) &&
             add_number(object, "unlogged", (int64_t)entry->unlogged) &&
             add(object, "uid", json_integer((json_int_t)entry->uid)) &&
             add(object, "pid", json_integer((json_int_t)entry->pid));
        if (ok)
                return object;
        json_decref(object);
        return NULL;
}

/* --- the log ------------------------------------------------------------------------------------------------------ */

struct signer_log *signer_log_new(const char *directory) {
        struct signer_log *log = calloc(1, sizeof(*log));

        if (!log)
                return NULL;
        *log = (struct signer_log){.directory = strdup(directory), .lock = PTHREAD_MUTEX_INITIALIZER};
        if (!log->directory) {
                free(log);
                return NULL;
        }
        return log;
}

void signer_log_free(struct signer_log *log) {
        if (!log)
                return;
        line_log_close(log->lines);
        (void)pthread_mutex_destroy(&log->lock);
        free(log->directory);
        free(log);
}

/* Once open, it stays open: lines of other threads may be under way. */
static int get_lines(struct signer_log *log, struct line_log **ret, char why[static LINE_LOG_WHY_MAX]) {
        int r = 0;

        (void)pthread_mutex_lock(&log->lock);
        if (!log->lines)
                r = line_log_open(log->directory, SIGNER_LOG_NAME, LINE_LOG_FILE_SIZE, &log->lines, why);
        *ret = log->lines;
        (void)pthread_mutex_unlock(&log->lock);
        return r;
}

int signer_log_open(struct signer_log *log, char ret_why[static LINE_LOG_WHY_MAX]) {
        struct line_log *lines;

        return get_lines(log, &lines, ret_why);
}

int signer_log_write(struct signer_log *log, const struct signer_log_entry *entry,
                     char ret_why[static LINE_LOG_WHY_MAX]) {
        struct line_log *lines;
        json_t *object;
        int r;

        r = get_lines(log, &lines, ret_why);
        if (r < 0)
                return r;
        object = make_line(entry);
        r = object ? line_log_append(lines, object, NULL) : -ENOMEM;
        json_decref(object);
        if (r < 0)
                (void)snprintf(ret_why, LINE_LOG_WHY_MAX, "%.100s: cannot write: %s", log->directory, strerror(-r));
        return r;
}
