/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/api/http_internal.h"
#include "cloud/api/wipe.h"

static void add(struct MHD_Response *response, const char *name, const char *value) {
        (void)MHD_add_response_header(response, name, value);
}

static void add_number(struct MHD_Response *response, const char *name, int64_t value, const char *quote) {
        char text[32];

        (void)snprintf(text, sizeof(text), "%s%" PRId64 "%s", quote, value, quote);
        add(response, name, text);
}

static void add_headers(const struct http_exchange *exchange, struct MHD_Response *response, bool has_body) {
        const struct request *request = exchange->request;

        add(response, "X-Request-Id", request->id);
        if (has_body) {
                add(response, "Content-Type", "application/json");
                add(response, "X-Content-Type-Options", "nosniff");
        }
        if (request->secret)
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
        struct MHD_Response *response;
        char *text = exchange->text;

        if (exchange->request->text)
                return MHD_create_response_from_buffer(strlen(exchange->request->text),
                                                       (void *)(uintptr_t)exchange->request->text,
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
        add_headers(exchange, response, exchange->text_length > 0 || request->text);
        exchange->state = EXCHANGE_ANSWERED;
        http_connection_enter(exchange->connection, PHASE_SENDING);
        result = MHD_queue_response(exchange->mhd, (unsigned)request->status, response);
        MHD_destroy_response(response);
        return result;
}
