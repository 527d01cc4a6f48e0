/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/api/api.h"
#include "cloud/api/client_address.h"
#include "cloud/api/http_internal.h"
#include "cloud/api/route.h"
#include "cloud/api/target.h"

enum { BODY_STEP = 4096 };

/* --- begin and end -------------------------------------------------------------------------------------------------- */

void *http_exchange_begin(void *context, const char *target, struct MHD_Connection *mhd) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        struct http_exchange *exchange = calloc(1, sizeof(*exchange));
        struct http *http = context;

        if (!exchange)
                return NULL; /* and http_exchange_handle() closes the connection */
        exchange->http = http;
        exchange->mhd = mhd;
        exchange->connection = info->socket_context;
        exchange->target = strndup(target, REQUEST_TARGET_MAX + 1);
        http->n_exchanges++;
        http_connection_enter(exchange->connection, PHASE_RECEIVING);
        return exchange;
}

static void free_wiped(char *text) {
        if (text)
                OPENSSL_cleanse(text, strlen(text));
        free(text);
}

static void drop_body(struct http_exchange *exchange) {
        exchange->http->body_bytes -= exchange->body_size;
        exchange->body_size = exchange->body_length = 0;
        free(exchange->body);
        exchange->body = NULL;
}

void http_exchange_end(void *context, struct MHD_Connection *mhd, void **exchange_pointer,
                       enum MHD_RequestTerminationCode code) {
        struct http_exchange *exchange = *exchange_pointer;
        struct http *http = context;

        (void)mhd;
        (void)code;
        if (!exchange)
                return;
        *exchange_pointer = NULL;
        drop_body(exchange);
        process_request_free(exchange->request);
        free_wiped(exchange->authorization);
        free_wiped(exchange->text);
        free(exchange->target);
        http->n_exchanges--;
        http_connection_enter(exchange->connection, PHASE_IDLE);
        free(exchange);
}

/* --- the head ------------------------------------------------------------------------------------------------------- */

static enum MHD_Result add_field(void *context, enum MHD_ValueKind kind, const char *name, size_t name_length,
                                 const char *value, size_t value_length) {
        (void)kind;
        head_add(context, name, name_length, value ? value : "", value ? value_length : 0);
        return MHD_YES;
}

static bool refuse_head(struct http_exchange *exchange, const struct head_fault *fault) {
        struct request *request = exchange->request;

        if (fault->field)
                (void)request_refuse(request, fault->error, "%s: %s", fault->field, fault->message);
        else
                (void)request_refuse(request, fault->error, "%s", fault->message);
        if (fault->field && fault->error == API_ERROR_INVALID_REQUEST)
                request_member(request, "field", json_string(fault->field));
        exchange->close = fault->close;
        return false;
}

/* Behind a proxy that is trusted, the last X-Forwarded-For is its word; anybody else's is not looked at. */
static bool find_address(struct http_exchange *exchange, const struct head *head) {
        const struct http_connection *connection = exchange->connection;
        struct request *request = exchange->request;

        request_note_text(request->address, sizeof(request->address), connection->peer);
        if (!connection->forwards || !head->forwarded || client_address_forwarded(head->forwarded, request->address))
                return true;
        return request_refuse_field(request, "X-Forwarded-For",
                                    "X-Forwarded-For: the last element is no IP address; check the proxy");
}

static bool find_route(struct http_exchange *exchange, const char *method) {
        struct request *request = exchange->request;
        const char *why = "out of memory";

        if (!exchange->target || !target_parse(exchange->target, &request->target, &why))
                return request_refuse_field(request, "path", "path: %s", why);
        request->method = route_method(method);
        request->route = route_find(&request->target, request->method, exchange->allow);
        if (!request->route && exchange->allow[0] != '\0')
                return request_refuse(request, API_ERROR_METHOD_NOT_ALLOWED, "this path takes %s", exchange->allow);
        if (!request->route)
                return request_refuse(request, API_ERROR_NOT_FOUND, "there is no such path; see /openapi.json");
        for (size_t i = 0; i < request->target.n_queries; i++)
                if (!route_takes(request->route, request->target.query[i].name))
                        return request_refuse_field(request, request->target.query[i].name,
                                                    "%s: unknown query parameter; check its spelling",
                                                    request->target.query[i].name);
        return true;
}

static bool keep_fields(struct http_exchange *exchange, const struct head *head) {
        struct request *request = exchange->request;
        struct head_fault fault = head_match(head, &request->match, &request->match_version);

        if (fault.error != API_ERROR_NONE)
                return refuse_head(exchange, &fault);
        request_note_text(request->user_agent, sizeof(request->user_agent), head->user_agent);
        if (!head->authorization)
                return true;
        exchange->authorization = strdup(head->authorization);
        return exchange->authorization || request_refuse(request, API_ERROR_INTERNAL, "out of memory; try again");
}

/* False: the answer is there, before a byte of the body is read. */
static bool take_head(struct http_exchange *exchange, const char *method) {
        struct request *request = exchange->request;
        struct head head = {.malformed = NULL};
        struct head_fault fault;
        struct head_body body;

        (void)MHD_get_connection_values_n(exchange->mhd, MHD_HEADER_KIND, add_field, &head);
        fault = head_check(&head, exchange->http->api->config->public_url, &body);
        if (fault.error != API_ERROR_NONE)
                return refuse_head(exchange, &fault);
        if (!find_address(exchange, &head) || !find_route(exchange, method) || !keep_fields(exchange, &head))
                return false;
        if ((request->route->flags & ROUTE_BODY) == 0 && (body.chunked || body.length > 0))
                return request_refuse_field(request, "body", "this request takes no body");
        return true;
}

/* --- the body ------------------------------------------------------------------------------------------------------- */

static bool make_room(struct http_exchange *exchange, size_t n) {
        size_t size = exchange->body_size;
        char *body;

        while (size < exchange->body_length + n)
                size = size == 0 ? BODY_STEP : 2 * size;
        if (size == exchange->body_size)
                return true;
        if (exchange->http->body_bytes + size - exchange->body_size > HTTP_BODIES_MAX)
                return false;
        body = realloc(exchange->body, size);
        if (!body)
                return false;
        exchange->http->body_bytes += size - exchange->body_size;
        exchange->body = body;
        exchange->body_size = size;
        return true;
}

static enum MHD_Result drop_more(struct http_exchange *exchange, size_t n) {
        exchange->discarded += n;
        return exchange->discarded > HTTP_DISCARD_MAX ? MHD_NO : MHD_YES;
}

/* libmicrohttpd answers nothing before the end of the body, so what is too much is read and dropped, up to a limit. */
static enum MHD_Result take_body(struct http_exchange *exchange, const char *data, size_t n) {
        if (!exchange->too_large && exchange->body_length + n > REQUEST_BODY_MAX)
                exchange->too_large = true;
        else if (!exchange->too_large && !exchange->busy && !make_room(exchange, n))
                exchange->busy = true;
        if (!exchange->too_large && !exchange->busy) {
                memcpy(exchange->body + exchange->body_length, data, n);
                exchange->body_length += n;
                return MHD_YES;
        }
        drop_body(exchange);
        return drop_more(exchange, n);
}

/* --- carrying out --------------------------------------------------------------------------------------------------- */

/* On a worker thread, which has the exchange to itself until the job is done. */
static void carry_out(struct worker_job *job, struct store *store) {
        struct http_exchange *exchange = (struct http_exchange *)job;

        process_request(exchange->request, store, exchange->authorization, exchange->body, exchange->body_length);
        exchange->text = process_answer_text(exchange->request, &exchange->text_length);
}

static enum MHD_Result submit(struct http_exchange *exchange) {
        struct request *request = exchange->request;

        if (exchange->too_large) {
                (void)request_refuse(request, API_ERROR_CONTENT_TOO_LARGE, "the body is larger than 64 KiB");
                exchange->close = true;
                return http_answer(exchange);
        }
        exchange->job.run = carry_out;
        exchange->job.slow = (request->route->flags & ROUTE_SLOW) != 0;
        if (exchange->busy || !worker_submit(exchange->http->workers, &exchange->job)) {
                (void)request_refuse_rate(request, 1000, "the server is busy; try again");
                return http_answer(exchange);
        }
        exchange->state = EXCHANGE_WORKING;
        http_connection_enter(exchange->connection, PHASE_WORKING);
        MHD_suspend_connection(exchange->mhd);
        return MHD_YES;
}

enum MHD_Result http_exchange_handle(void *context, struct MHD_Connection *mhd, const char *url, const char *method,
                                     const char *version, const char *data, size_t *length, void **exchange_pointer) {
        struct http_exchange *exchange = *exchange_pointer;
        struct http *http = context;
        size_t n = *length;

        (void)mhd;
        (void)url;
        (void)version;
        if (!exchange)
                return MHD_NO;
        *length = 0;
        switch (exchange->state) {
        case EXCHANGE_HEAD:
                exchange->request = process_request_new(http->api);
                if (!exchange->request)
                        return MHD_NO;
                exchange->state = EXCHANGE_BODY;
                if (take_head(exchange, method))
                        return MHD_YES;
                /* An answer that is queued now closes the connection. Else the body, which is small, is read first. */
                if (exchange->close)
                        return http_answer(exchange);
                exchange->state = EXCHANGE_REFUSED;
                return MHD_YES;
        case EXCHANGE_REFUSED:
                return n > 0 ? drop_more(exchange, n) : http_answer(exchange);
        case EXCHANGE_BODY:
                return n > 0 ? take_body(exchange, data, n) : submit(exchange);
        case EXCHANGE_DONE:
                return http_answer(exchange);
        case EXCHANGE_WORKING:
        case EXCHANGE_ANSWERED:
                break;
        }
        return MHD_YES;
}
