/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "cloud/api/journal.h"
#include "common/lifetime.h"
#include "wire/json_dispatch.h"

int request_left_ms(const struct request *request, int reserve_ms) {
        int64_t left_ms = (request->deadline_ns - monotonic_ns()) / 1000000 - reserve_ms;

        return left_ms > 0 ? (int)left_ms : 0;
}

const char *request_query(const struct request *request, const char *name) {
        for (size_t i = 0; i < request->target.n_queries; i++)
                if (strcmp(request->target.query[i].name, name) == 0)
                        return request->target.query[i].value;
        return NULL;
}

bool request_body(struct request *request, const struct json_dispatch_field *fields, void *ret) {
        json_t *body = request->body ? json_incref(request->body) : json_object();
        struct refused why = {.why = REFUSAL_NONE};
        char field[REQUEST_FIELD_MAX];
        const char *at_fault;

        if (!body)
                return request_refuse(request, API_ERROR_INTERNAL, "out of memory; try again");
        at_fault = json_dispatch(body, fields, JSON_DISPATCH_REFUSE_UNKNOWN, ret, &why);
        if (at_fault)
                (void)snprintf(field, sizeof(field), "%s", at_fault); /* it may be the body's */
        json_decref(body);
        if (!at_fault)
                return true;
        return request_refuse_field(request, field, "%s", why.message);
}

static void put_answer(struct request *request, int status, json_t *body) {
        if (!body) {
                (void)request_refuse(request, API_ERROR_INTERNAL, "out of memory; try again");
                return;
        }
        json_decref(request->answer);
        request->answer = body;
        request->text = NULL;
        request->status = status;
        request->error = API_ERROR_NONE;
}

void request_answer(struct request *request, int status, json_t *body) {
        put_answer(request, status, body);
}

void request_answer_secret(struct request *request, int status, json_t *body) {
        request->secret = true;
        put_answer(request, status, body);
}

void request_answer_file(struct request *request, const struct docs_file *file) {
        request->file = file;
        request->status = 200;
}

void request_answer_nothing(struct request *request) {
        json_decref(request->answer);
        request->answer = NULL;
        request->text = NULL;
        request->status = 204;
        request->error = API_ERROR_NONE;
}

/* A message may quote what a peer sent, cut in the middle of a character. */
static void make_printable(char *text) {
        for (; *text; text++)
                if (*text < ' ' || *text > '~')
                        *text = '?';
}

static bool refuse_with(struct request *request, enum api_error error, const char *format, va_list arguments)
        __attribute__((format(printf, 3, 0)));

static bool refuse_with(struct request *request, enum api_error error, const char *format, va_list arguments) {
        char message[REQUEST_MESSAGE_MAX];

        (void)vsnprintf(message, sizeof(message), format, arguments);
        make_printable(message);
        json_decref(request->answer);
        /* Without memory the body is empty, and the status says what it can. */
        request->answer = json_pack("{s:s, s:s, s:s}", "error", api_error_name(error), "message", message, "request_id",
                                    request->id);
        request->text = NULL;
        request->file = NULL;
        request->status = api_error_status(error);
        request->error = error;
        request->secret = false;
        request->etag = 0;
        return false;
}

bool request_refuse(struct request *request, enum api_error error, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void)refuse_with(request, error, format, arguments);
        va_end(arguments);
        return false;
}

bool request_refuse_field(struct request *request, const char *field, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void)refuse_with(request, API_ERROR_INVALID_REQUEST, format, arguments);
        va_end(arguments);
        request_member(request, "field", json_string(field));
        return false;
}

bool request_refuse_rate(struct request *request, int64_t retry_after_ms, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void)refuse_with(request, API_ERROR_TOO_MANY_REQUESTS, format, arguments);
        va_end(arguments);
        request->retry_after_ms = retry_after_ms > 0 ? retry_after_ms : 1;
        return false;
}

bool request_refuse_store(struct request *request, enum store_result result, const char *what) {
        switch (result) {
        case STORE_NOT_FOUND:
                return request_refuse(request, API_ERROR_NOT_FOUND, "%s: there is none of that name", what);
        case STORE_CONFLICT:
                return request_refuse(request, API_ERROR_CONFLICT,
                                      "%s: it exists already, is in use, or its name was used before; choose another",
                                      what);
        case STORE_PRECONDITION:
                return request_refuse(request, API_ERROR_PRECONDITION_FAILED,
                                      "%s: it has changed, or is not as If-Match has it; get it again", what);
        case STORE_INVALID:
                return request_refuse_field(request, what, "%s: what it names does not exist", what);
        case STORE_UNAVAILABLE:
                journal_note(LOG_ERR, "store: %s: %s", what, store_why(request->store));
                return request_refuse(request, API_ERROR_STORE_UNAVAILABLE,
                                      "the database cannot be used now; try again later");
        case STORE_OK:
        case STORE_CREATED:
                break;
        }
        return request_refuse(request, API_ERROR_INTERNAL, "%s: unexpected result %d of the store", what, (int)result);
}

void request_member(struct request *request, const char *name, json_t *value) {
        if (request->answer)
                (void)json_object_set_new(request->answer, name, value);
        else
                json_decref(value);
}

json_t *request_time(int64_t unix_s) {
        char text[sizeof("-2147481748-12-31T23:59:60Z")];
        time_t time = (time_t)unix_s;
        struct tm utc;

        if (!gmtime_r(&time, &utc) || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
                return NULL;
        return json_string(text);
}

/* The end of the longest prefix that is whole characters of UTF-8. */
static size_t whole_characters(const char *text, size_t n) {
        while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
                n--;
        return n;
}

void request_note_text(char *to, size_t size, const char *text) {
        size_t n = text ? strlen(text) : 0;

        if (n >= size)
                n = whole_characters(text, size - 1);
        if (n > 0)
                memcpy(to, text, n);
        to[n] = '\0';
}
