/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request: what a handler gets, and what it answers with.
 *
 * A handler runs on a worker thread, from its first statement to its last, and may block: it has the thread and the
 * thread's store handle to itself. Before it is called the request is complete and well formed, the caller is
 * authenticated (unless the route is public), and limits by address and caller are passed. It then
 *
 * 1. takes the body apart with request_body(),
 * 2. decides with authorise() (cloud/api/auth.h), before it looks anything up,
 * 3. acts, and
 * 4. calls request_answer() or request_refuse() once, as its last statement: the latter returns false, so that a helper
 *    refuses and returns in one. The outcome is written to the audit log after it returns, from `audit` and the answer.
 *
 * Everything in a request is of that one request, and is freed after it.
 */
#ifndef EXC_API_REQUEST_H
#define EXC_API_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cloud/api/error.h"
#include "cloud/audit/audit.h"
#include "cloud/store/store.h"

struct api;
struct docs_file;
struct json_dispatch_field;
struct policy;
struct route;

enum {
        REQUEST_BODY_MAX = 64 * 1024, /* bytes */
        REQUEST_DEPTH_MAX = 8,        /* of its JSON */
        REQUEST_TARGET_MAX = 2048,    /* bytes of path and query as they were sent */
        REQUEST_SEGMENTS_MAX = 6,
        REQUEST_SEGMENT_MAX = 256 + 1, /* bytes with the NUL, decoded */
        REQUEST_QUERIES_MAX = 8,
        REQUEST_ID_MAX = 32 + 1,      /* hexadecimal, with the NUL */
        REQUEST_ADDRESS_MAX = 45 + 1, /* an IPv6 literal, with the NUL */
        REQUEST_USER_AGENT_MAX = 256 + 1,
        REQUEST_MESSAGE_MAX = 512,
        REQUEST_FIELD_MAX = 64,
        REQUEST_DEADLINE_MS = 20 * 1000,
};

enum request_method {
        METHOD_GET,
        METHOD_POST,
        METHOD_PUT,
        METHOD_DELETE,
        METHOD_OTHER, /* no route has it */
};

/* A name and its value of the query, decoded. */
struct request_query {
        char name[REQUEST_FIELD_MAX];
        char value[REQUEST_SEGMENT_MAX];
};

/* The path and query, decoded (cloud/api/target.h). */
struct request_target {
        size_t n_segments, n_queries;
        char segment[REQUEST_SEGMENTS_MAX]
                    [REQUEST_SEGMENT_MAX]; /* "/compute/instance/42": "compute", "instance", "42" */
        struct request_query query[REQUEST_QUERIES_MAX];
};

/*
 * For the audit lines of this request. action, resource, effect and sid are authorise()'s; the rest is the handler's, as
 * far as it learns them: "" is left out.
 */
struct request_audit {
        char action[64], resource[384], sid[129];
        char vm_id[STORE_NAME_MAX], host[STORE_TEXT_MAX], os_user[STORE_TEXT_MAX];
        char fingerprint[STORE_FINGERPRINT_MAX], session[STORE_NAME_MAX];
        char guest_error[64];
        char head[AUDIT_HASH_MAX]; /* of the latest line of this request, for the signer; "" before the first */
        bool decided;              /* a decision is written, and waits for its outcome */
};

/* If-Match and If-None-Match. */
enum request_match {
        MATCH_NONE,    /* neither */
        MATCH_VERSION, /* If-Match: "N" */
        MATCH_ANY,     /* If-Match: *; there must be one */
        MATCH_ABSENT,  /* If-None-Match: *; there must be none */
};

struct request {
        struct api *api;     /* cloud/api/api.h */
        struct store *store; /* this thread's */
        const struct route *route;

        char id[REQUEST_ID_MAX]; /* X-Request-Id of the answer */
        enum request_method method;
        struct request_target target;
        json_t *body; /* an object; NULL: the request had none */
        enum request_match match;
        int64_t match_version;
        char address[REQUEST_ADDRESS_MAX]; /* of the client, an IP literal; mapped IPv4 is IPv4. "": not known */
        char user_agent[REQUEST_USER_AGENT_MAX];
        int64_t started_ns;  /* CLOCK_MONOTONIC */
        int64_t deadline_ns; /* the same clock: answer before it */
        int64_t now;         /* Unix seconds when it started */

        /* Of the caller; "" and none on a public route. */
        char account[STORE_NAME_MAX], token_id[STORE_TOKEN_ID_MAX];
        struct policy **policies; /* all of the account; held by the request */
        size_t n_policies;

        struct request_audit audit;

        /* Takes back what was done, where the audit log does not take the outcome; NULL: nothing to take back. */
        void (*undo)(struct request *request);
        int64_t keys_end_s; /* for it: Unix seconds, of the keys that the request has left at a guest */

        /* The answer; see the functions below. */
        int status; /* 0: none yet */
        enum api_error error;
        json_t *answer;
        const char *text;             /* in place of `answer`: JSON that is never freed */
        const struct docs_file *file; /* the same: of cloud/api/docs.h */
        bool secret;                  /* Cache-Control: no-store, and the text is wiped */
        int64_t etag;                 /* of the answer; 0: none; Cache-Control: no-store too */
        int64_t retry_after_ms;       /* 0: none */
};

/* The milliseconds until the deadline, less `reserve_ms` for what comes after; 0 when it has passed. */
int request_left_ms(const struct request *request, int reserve_ms);

/* The value of a query parameter, or NULL. */
const char *request_query(const struct request *request, const char *name);

/*
 * Takes the body apart by a table (wire/json_dispatch.h). Unknown members are refused, and so is a missing body unless
 * no member is required; null is a value of a wrong type. False: 400 is the answer, with the field.
 */
bool request_body(struct request *request, const struct json_dispatch_field *fields, void *ret);

/* Answers with `status` and the body, whose ownership it takes. NULL, which json_pack() returns without memory, is 500. */
void request_answer(struct request *request, int status, json_t *body);

/* The same with a secret in it: no-store, wiped after it was sent. */
void request_answer_secret(struct request *request, int status, json_t *body);

/* 200 with a file of the page at /docs. */
void request_answer_file(struct request *request, const struct docs_file *file);

/* 204. */
void request_answer_nothing(struct request *request);

/* Answers with an error and a sentence for people. Always false. */
bool request_refuse(struct request *request, enum api_error error, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* 400 with the member, path segment, query parameter or header at fault. Always false. */
bool request_refuse_field(struct request *request, const char *field, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* 429 with Retry-After. Always false. */
bool request_refuse_rate(struct request *request, int64_t retry_after_ms, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* 503 StoreUnavailable for STORE_UNAVAILABLE, with its cause in the journal; 404, 409, 412, 400 for others. Always false. */
bool request_refuse_store(struct request *request, enum store_result result, const char *what);

/* Adds a member to the answer of an error ("guest_error", "keys_end_at"). Takes ownership of `value`. */
void request_member(struct request *request, const char *name, json_t *value);

/* "2024-03-05T12:00:00Z" as a JSON string. */
json_t *request_time(int64_t unix_s);

/* Copies a text of this request's into one of the arrays of `audit`, cut at its size. */
#define request_note(request, member, text)                                                                            \
        request_note_text((request)->audit.member, sizeof((request)->audit.member), text)
void request_note_text(char *to, size_t size, const char *text);

#endif
