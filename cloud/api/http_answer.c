/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/api/docs.h"
#include "cloud/api/http_internal.h"
#include "wire/wipe.h"

static void add(struct MHD_Response *response, const char *name, const char *value) {
        (void)MHD_add_response_header(response, name, value);
}

static void add_number(struct MHD_Response *response, const char *name, int64_t value, const char *quote) {
        char text[32];

        (void)snprintf(text, sizeof(text), "%s%" PRId64 "%s", quote, value, quote);
        add(response, name, text);
}

/*
 * The page runs its own scripts, talks to this server, and nothing else; what it shows comes from /openapi.json, and what is
 * typed into it is a token. An hour without asking again: nothing of it changes before an upgrade.
 */
static void add_page_headers(struct MHD_Response *response) {
        add(response, "Content-Security-Policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
            "frame-ancestors 'none'; base-uri 'none'; form-action 'none'");
        add(response, "Referrer-Policy", "no-referrer");
        add(response, "Cache-Control", "max-age=3600");
}

static void add_headers(const struct http_exchange *exchange, struct MHD_Response *response, bool has_body) {
        const struct request *request = exchange->request;

        add(response, "X-Request-Id", request->id);
        if (has_body) {
                add(response, "Content-Type", request->file ? request->file->type : "application/json");
                add(response, "X-Content-Type-Options", "nosniff");
        }
        if (request->file)
                add_page_headers(response);
        /* A browser that kept one with an ETag would ask with it in If-None-Match, which takes * alone here. */
        if (request->secret || request->etag > 0)
                add(response, "Cache-Control", "no-store");
        if (request->etag > 0 && request->error == API_ERROR_NONE)
                add_number(response, "ETag", request->etag, "\"");
        if (request->status == 401)
                add(response, "WWW-Authenticate", "Bearer");
        if (request->status == 405)
                add(response, "Allow", exchange->allow);
        if (request->retry_after_ms > 0)
                add_number(response, "Retry-After", (request->retry_after_ms + 999) / 1000, "");
        if (exchange->close)
                add(response, "Connection", "close");
}

/* The text is libmicrohttpd's from here on. */
static struct MHD_Response *make_response(struct http_exchange *exchange) {
        const struct request *request = exchange->request;
        struct MHD_Response *response;
        char *text = exchange->text;

        if (request->file)
                return MHD_create_response_from_buffer(request->file->length, request->file->data,
                                                       MHD_RESPMEM_PERSISTENT);
        if (request->text)
                return MHD_create_response_from_buffer(strlen(request->text), (void *)(uintptr_t)request->text,
                                                       MHD_RESPMEM_PERSISTENT);
        if (!text)
                return MHD_create_response_from_buffer(0, (void *)(uintptr_t)"", MHD_RESPMEM_PERSISTENT);
        response = MHD_create_response_from_buffer_with_free_callback(exchange->text_length, text, wipe_free);
        if (response)
                exchange->text = NULL;
        return response;
}

enum MHD_Result http_answer(struct http_exchange *exchange) {
        struct request *request = exchange->request;
        struct MHD_Response *response;
        enum MHD_Result result;

        if (!exchange->text && !request->text)
                exchange->text = process_answer_text(request, &exchange->text_length);
        response = make_response(exchange);
        if (!response)
                return MHD_NO;
        add_headers(exchange, response, exchange->text_length > 0 || request->text || request->file);
        exchange->state = EXCHANGE_ANSWERED;
        http_connection_enter(exchange->connection, PHASE_SENDING);
        result = MHD_queue_response(exchange->mhd, (unsigned)request->status, response);
        MHD_destroy_response(response);
        return result;
}
