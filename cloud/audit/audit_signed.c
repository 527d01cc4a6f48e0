/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/audit/audit_signed.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/signer/signer_log.h"

enum { DIGEST_SIZE = 32 };

/* A line of the signer's. There may be millions. */
struct noted {
        uint8_t head[DIGEST_SIZE];    /* audit_head */
        uint8_t request[DIGEST_SIZE]; /* digest_of() the request, for a push with its instance */
        uint64_t number;              /* of the line in its file */
        uint32_t file;
        bool has_head, is_signed;
        bool head_found, decision_found;
};

struct audit_signed {
        audit_signed_fault fault;
        void *context;

        struct noted *noted;
        size_t n, room;
        char (*files)[LINE_LOG_FILE_NAME_MAX];
        size_t n_files;

        struct noted **by_head, **by_request; /* sorted */
};

/* --- reading ------------------------------------------------------------------------------------------------------- */

static int digit(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_hash(const char *text, uint8_t ret[static DIGEST_SIZE]) {
        if (!text || strlen(text) != (size_t)2 * DIGEST_SIZE)
                return false;
        for (size_t i = 0; i < DIGEST_SIZE; i++) {
                int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

                if (high < 0 || low < 0)
                        return false;
                ret[i] = (uint8_t)(high << 4 | low);
        }
        return true;
}

/* Of both with their NULs, so that no other pair has the same bytes. `instance` is NULL for a revocation. */
static bool digest_of(const char *request_id, const char *instance, uint8_t ret[static DIGEST_SIZE]) {
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        bool done = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
                    EVP_DigestUpdate(context, request_id, strlen(request_id) + 1) == 1 &&
                    (!instance || EVP_DigestUpdate(context, instance, strlen(instance) + 1) == 1) &&
                    EVP_DigestFinal_ex(context, ret, NULL) == 1;

        EVP_MD_CTX_free(context);
        return done;
}

/* Its number among the names; -1 without memory. */
static int64_t file_number(struct audit_signed *lines, const char *file) {
        void *larger;

        if (lines->n_files > 0 && strcmp(lines->files[lines->n_files - 1], file) == 0)
                return (int64_t)lines->n_files - 1;
        larger = reallocarray(lines->files, lines->n_files + 1, sizeof(*lines->files));
        if (!larger)
                return -1;
        lines->files = larger;
        (void)snprintf(lines->files[lines->n_files++], sizeof(*lines->files), "%s", file);
        return (int64_t)lines->n_files - 1;
}

static struct noted *new_noted(struct audit_signed *lines) {
        if (lines->n == lines->room) {
                size_t room = lines->room ? lines->room * 2 : 1024;
                struct noted *larger = reallocarray(lines->noted, room, sizeof(*larger));

                if (!larger)
                        return NULL;
                lines->noted = larger;
                lines->room = room;
        }
        lines->noted[lines->n] = (struct noted){.number = 0};
        return &lines->noted[lines->n++];
}

static const char *text_of(const json_t *object, const char *name) {
        const char *text = json_string_value(json_object_get(object, name));

        return text ? text : "";
}

static int take_line(void *context, const struct line_log_line *line) {
        struct audit_signed *lines = context;
        bool is_push = strcmp(text_of(line->object, SIGNER_LOG_KIND), SIGNER_KIND_PUSH) == 0;
        struct noted *noted = new_noted(lines);
        int64_t file = file_number(lines, line->file);

        if (!noted || file < 0)
                return -ENOMEM;
        noted->file = (uint32_t)file;
        noted->number = line->number;
        noted->is_signed = strcmp(text_of(line->object, SIGNER_LOG_OUTCOME), SIGNER_OUTCOME_SIGNED) == 0;
        noted->has_head = parse_hash(text_of(line->object, SIGNER_LOG_AUDIT_HEAD), noted->head);
        if (!digest_of(text_of(line->object, SIGNER_LOG_REQUEST_ID),
                       is_push ? text_of(line->object, SIGNER_LOG_INSTANCE) : NULL, noted->request))
                return -ENOMEM;
        return 0;
}

static int compare_head(const void *a, const void *b) {
        return memcmp((*(struct noted *const *)a)->head, (*(struct noted *const *)b)->head, DIGEST_SIZE);
}

static int compare_request(const void *a, const void *b) {
        return memcmp((*(struct noted *const *)a)->request, (*(struct noted *const *)b)->request, DIGEST_SIZE);
}

static struct noted **sorted(struct audit_signed *lines, int (*compare)(const void *, const void *)) {
        struct noted **list = calloc(lines->n + 1, sizeof(struct noted *)); /* one more: calloc(0) may be NULL */

        if (!list)
                return NULL;
        for (size_t i = 0; i < lines->n; i++)
                list[i] = &lines->noted[i];
        qsort(list, lines->n, sizeof(struct noted *), compare);
        return list;
}

static void chain_fault(void *context, const char *file, uint64_t number, const char *what) {
        const struct audit_signed *lines = context;

        lines->fault(lines->context, file, number, what);
}

int audit_signed_read(const char *directory, audit_signed_fault fault, void *context, struct audit_signed **ret,
                      char ret_why[static AUDIT_WHY_MAX]) {
        struct audit_signed *lines = calloc(1, sizeof(*lines));
        struct line_log_reader reader = {.line = take_line, .fault = chain_fault, .context = lines};
        int r = lines ? 0 : -ENOMEM;

        if (lines) {
                lines->fault = fault;
                lines->context = context;
                r = line_log_read(directory, SIGNER_LOG_NAME, &reader, ret_why);
        }
        if (r == 0) {
                lines->by_head = sorted(lines, compare_head);
                lines->by_request = sorted(lines, compare_request);
                if (!lines->by_head || !lines->by_request)
                        r = -ENOMEM;
        }
        if (r < 0) {
                if (r == -ENOMEM)
                        (void)snprintf(ret_why, AUDIT_WHY_MAX, "%.100s: out of memory", directory);
                audit_signed_free(lines);
                return r;
        }
        *ret = lines;
        return 0;
}

void audit_signed_free(struct audit_signed *lines) {
        if (!lines)
                return;
        free(lines->by_head);
        free(lines->by_request);
        free(lines->noted);
        free(lines->files);
        free(lines);
}

/* --- comparing ----------------------------------------------------------------------------------------------------- */

/* The first of those that are not less than `wanted`. */
static size_t lower_bound(struct noted *const *list, size_t n, const struct noted *wanted,
                          int (*compare)(const void *, const void *)) {
        size_t low = 0, high = n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (compare(&list[middle], &wanted) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

void audit_signed_line(struct audit_signed *lines, const char *hash) {
        struct noted wanted = {.number = 0}, *at = &wanted;

        if (!parse_hash(hash, wanted.head))
                return;
        for (size_t i = lower_bound(lines->by_head, lines->n, at, compare_head);
             i < lines->n && compare_head(&lines->by_head[i], &at) == 0; i++)
                lines->by_head[i]->head_found = true;
}

static void decided(struct audit_signed *lines, const char *request_id, const char *instance) {
        struct noted wanted = {.number = 0}, *at = &wanted;

        if (!digest_of(request_id, instance, wanted.request))
                return; /* without memory the line is reported, which is the safe side */
        for (size_t i = lower_bound(lines->by_request, lines->n, at, compare_request);
             i < lines->n && compare_request(&lines->by_request[i], &at) == 0; i++)
                lines->by_request[i]->decision_found = true;
}

void audit_signed_decided(struct audit_signed *lines, const char *request_id, const char *instance) {
        decided(lines, request_id, instance);
        decided(lines, request_id, NULL);
}

uint64_t audit_signed_report(const struct audit_signed *lines, audit_signed_fault fault, void *context) {
        uint64_t n_signed = 0;

        for (size_t i = 0; i < lines->n; i++) {
                const struct noted *noted = &lines->noted[i];
                const char *file = lines->files[noted->file];

                n_signed += noted->is_signed;
                if (noted->has_head && !noted->head_found)
                        fault(context, file, noted->number,
                              "removed or changed: the audit line that the signer was shown is in no log");
                else if (noted->is_signed && !noted->has_head)
                        fault(context, file, noted->number, "signed without an audit line");
                else if (noted->is_signed && !noted->decision_found)
                        fault(context, file, noted->number, "signed, but no audit line allowed this request");
        }
        return n_signed;
}
