/* SPDX-License-Identifier: Apache-2.0 */
#include "exc/api.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "cli/output.h"
#include "exc/api_end.h"
#include "wire/json.h"
#include "wire/wipe.h"

enum {
        URL_MAX = 4096,
        WAITING_AFTER_MS = 1000, /* then it says what for */
};

struct api {
        struct config config;
        const struct options *options;
        CURL *curl;
        struct curl_slist *headers;
        char base[CONFIG_ENDPOINT_MAX];
        char purpose[256]; /* "VM 42", or "" */
        char error[CURL_ERROR_SIZE];
        int total_ms;

        /* Of the request that is under way. */
        char *received;
        size_t used, size;
        bool too_large, reported;
        char request_id[sizeof(((struct api_answer *)NULL)->request_id)], retry_after[32]; /* headers, or "" */
        struct timespec started;
};

/* --- setting up --------------------------------------------------------------------------------------------------- */

static int no_memory(void) {
        complain("out of memory");
        return EXIT_OWN_FAILURE;
}

static size_t receive(char *data, size_t size, size_t n, void *context) {
        struct api *api = context;

        n *= size;
        if (n > API_ANSWER_MAX - api->used) {
                api->too_large = true;
                return 0;
        }
        if (api->size - api->used < n + 1) {
                size_t larger = api->size ? api->size : 16 * 1024;
                char *memory;

                while (larger - api->used < n + 1)
                        larger *= 2;
                memory = malloc(larger);
                if (!memory)
                        return 0;
                if (api->used > 0)
                        memcpy(memory, api->received, api->used);
                wipe_free(api->received); /* not realloc(3): it may hold a private key */
                api->received = memory;
                api->size = larger;
        }
        memcpy(api->received + api->used, data, n);
        api->used += n;
        return n;
}

static void keep_header(const char *line, size_t n, const char *name, char *ret, size_t size) {
        size_t length = strlen(name);

        if (n <= length || line[length] != ':' || strncasecmp(line, name, length) != 0)
                return;
        for (line += length + 1, n -= length + 1; n > 0 && (*line == ' ' || *line == '\t'); n--)
                line++;
        while (n > 0 && strchr(" \t\r\n", line[n - 1]))
                n--;
        (void)snprintf(ret, size, "%.*s", (int)n, line);
}

/* A line of the answer's head, without a NUL. */
static size_t receive_header(char *line, size_t size, size_t n, void *context) {
        struct api *api = context;

        keep_header(line, n * size, "X-Request-Id", api->request_id, sizeof(api->request_id));
        keep_header(line, n * size, "Retry-After", api->retry_after, sizeof(api->retry_after));
        return n * size;
}

static int waiting(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up) {
        struct api *api = context;
        struct timespec now;

        (void)down_total, (void)down, (void)up_total, (void)up;
        if (api->reported || !isatty(STDERR_FILENO))
                return 0;
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        if ((now.tv_sec - api->started.tv_sec) * 1000 + (now.tv_nsec - api->started.tv_nsec) / 1000000 <
            WAITING_AFTER_MS)
                return 0;
        api->reported = true;
        if (*api->purpose)
                complain("waiting for %s, through %s", api->purpose, api->config.endpoint);
        else
                complain("waiting for %s", api->config.endpoint);
        return 0;
}

static bool set_up(struct api *api) {
        CURL *curl = api->curl;
        enum endpoint_kind kind = endpoint_kind(api->config.endpoint);
        /* A token in plain text is for this machine alone: no proxy gets it. */
        bool no_proxy = api->options->no_proxy || kind != ENDPOINT_HTTPS;
        bool ok = true;

        ok = ok && curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, api->error) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_USERAGENT, "exc/" PACKAGE_VERSION) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_HTTPHEADER, api->headers) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)API_CONNECT_MS) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_WRITEDATA, api) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, receive_header) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_HEADERDATA, api) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, waiting) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_XFERINFODATA, api) == CURLE_OK;
        /* Not the answer of a proxy to CONNECT. */
        ok = ok && curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK;
        if (no_proxy)
                ok = ok && curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK;
        if (kind == ENDPOINT_UNIX)
                ok = ok && curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, api->config.endpoint + strlen("unix:")) ==
                                   CURLE_OK;
        if (*api->config.ca_file)
                ok = ok && curl_easy_setopt(curl, CURLOPT_CAINFO, api->config.ca_file) == CURLE_OK;
        return ok;
}

static bool add_header(struct api *api, const char *text) {
        struct curl_slist *longer = curl_slist_append(api->headers, text);

        if (longer)
                api->headers = longer;
        return longer;
}

static int make(const struct options *options, const struct config *config, struct api **ret) {
        struct api *api = calloc(1, sizeof(*api));
        char line[64 + CONFIG_TOKEN_MAX];
        bool ok;

        if (!api)
                return no_memory();
        api->config = *config;
        api->options = options;
        api->total_ms = API_TOTAL_MS;
        api->curl = curl_easy_init();
        (void)snprintf(line, sizeof(line), "Authorization: Bearer %s", config->token);
        ok = api->curl && endpoint_url(config->endpoint, api->base, sizeof(api->base)) == 0 &&
             add_header(api, "Accept: application/json") && add_header(api, "Expect:") &&
             (!*config->token || add_header(api, line)) && set_up(api);
        explicit_bzero(line, sizeof(line));
        if (ok) {
                *ret = api;
                return EXIT_DONE;
        }
        api_close(api);
        return no_memory();
}

int api_open_with(const struct options *options, const struct config *config, struct api **ret) {
        /* From here on jansson wipes what it frees: answers may hold private keys and tokens. */
        wipe_json();
        if (!*config->endpoint) {
                complain("no endpoint: it is not known where the API is; run: exc login, or set EXC_ENDPOINT");
                return EXIT_NOT_LOGGED_IN;
        }
        if (endpoint_kind(config->endpoint) == ENDPOINT_HTTP) {
                complain("%s: plain http to another machine would show the token to everyone on the way; use https://",
                         config->endpoint);
                return EXIT_USAGE;
        }
        if (*config->ca_file && access(config->ca_file, R_OK) < 0) {
                complain("%s: cannot read the certificates of --ca-file or EXC_CA_FILE: %s", config->ca_file,
                         strerror(errno));
                return EXIT_USAGE;
        }
        verbose(options, "endpoint %s", config->endpoint);
        return make(options, config, ret);
}

int api_open(const struct options *options, struct api **ret) {
        struct config config;
        int status = config_load(options, &config);

        if (status == EXIT_DONE && *config.endpoint && !*config.token) {
                complain("not logged in: there is no token for %s; run: exc login, or set EXC_TOKEN", config.endpoint);
                status = EXIT_NOT_LOGGED_IN;
        }
        if (status == EXIT_DONE)
                status = api_open_with(options, &config, ret);
        explicit_bzero(&config, sizeof(config));
        return status;
}

void api_close(struct api *api) {
        if (!api)
                return;
        curl_easy_cleanup(api->curl);
        for (struct curl_slist *at = api->headers; at; at = at->next)
                explicit_bzero(at->data, strlen(at->data));
        curl_slist_free_all(api->headers);
        wipe_free(api->received);
        explicit_bzero(api, sizeof(*api));
        free(api);
}

const struct config *api_config(const struct api *api) {
        return &api->config;
}

void api_set_deadline(struct api *api, int total_ms) {
        api->total_ms = total_ms;
}

int api_deadline(const struct api *api) {
        return api->total_ms;
}

void api_set_purpose(struct api *api, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(api->purpose, sizeof(api->purpose), format, arguments);
        va_end(arguments);
}

/* --- a request ---------------------------------------------------------------------------------------------------- */

static bool prepare(struct api *api, const char *method, const char *path, const char *body) {
        char url[URL_MAX];
        int n = snprintf(url, sizeof(url), "%s%s", api->base, path);
        bool repeatable = strcmp(method, "GET") == 0, ok = n > 0 && (size_t)n < sizeof(url);

        api->used = 0;
        api->too_large = api->reported = false;
        api->error[0] = api->request_id[0] = api->retry_after[0] = '\0';
        (void)clock_gettime(CLOCK_MONOTONIC, &api->started);
        ok = ok && curl_easy_setopt(api->curl, CURLOPT_URL, url) == CURLE_OK;
        ok = ok && curl_easy_setopt(api->curl, CURLOPT_TIMEOUT_MS, (long)api->total_ms) == CURLE_OK;
        /* libcurl sends a request again when a connection that it kept turns out to be closed. */
        ok = ok && curl_easy_setopt(api->curl, CURLOPT_FRESH_CONNECT, repeatable ? 0L : 1L) == CURLE_OK;
        if (body) {
                ok = ok && curl_easy_setopt(api->curl, CURLOPT_POST, 1L) == CURLE_OK;
                ok = ok && curl_easy_setopt(api->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body)) == CURLE_OK;
                ok = ok && curl_easy_setopt(api->curl, CURLOPT_POSTFIELDS, body) == CURLE_OK;
        } else
                ok = ok && curl_easy_setopt(api->curl, CURLOPT_HTTPGET, 1L) == CURLE_OK;
        return ok && curl_easy_setopt(api->curl, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK;
}

static void copy_text(char *ret, size_t size, const char *text) {
        (void)snprintf(ret, size, "%s", text ? text : "");
}

/* The answer has arrived: 2xx with JSON or nothing, an error of the API with its body, or something else. */
static void read_answer(struct api *api, struct api_answer *ret) {
        bool good = ret->status / 100 == 2;

        copy_text(ret->request_id, sizeof(ret->request_id), api->request_id);
        ret->retry_after = strtol(api->retry_after, NULL, 10);
        if (ret->retry_after < 0 || ret->retry_after > 24L * 60 * 60)
                ret->retry_after = 0;
        ret->end = API_FOREIGN;
        if (api->used > 0)
                ret->body = json_read(api->received, api->used, API_DEPTH_MAX);
        if (good) {
                if (api->used == 0 ? ret->status == 204 : ret->body != NULL)
                        ret->end = API_ANSWERED;
                else
                        copy_text(ret->message, sizeof(ret->message), "the answer is not JSON");
                return;
        }
        if (json_is_string(json_object_get(ret->body, "error")) &&
            json_is_string(json_object_get(ret->body, "message"))) {
                copy_text(ret->error, sizeof(ret->error), text_or(ret->body, "error", ""));
                copy_text(ret->message, sizeof(ret->message), text_or(ret->body, "message", ""));
                ret->end = API_REFUSED;
        }
}

bool api_call(struct api *api, const char *method, const char *path, json_t *body, struct api_answer *ret) {
        char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
        CURLcode result;

        *ret = (struct api_answer){.end = API_OWN_FAILURE};
        if ((body && !text) || !path || !prepare(api, method, path, text)) {
                copy_text(ret->message, sizeof(ret->message), "out of memory");
                json_decref(body);
                wipe_free(text);
                return false;
        }
        verbose(api->options, "%s %s", method, path);
        result = curl_easy_perform(api->curl);
        (void)curl_easy_setopt(api->curl, CURLOPT_POSTFIELDS, NULL);
        json_decref(body);
        wipe_free(text);
        (void)curl_easy_getinfo(api->curl, CURLINFO_RESPONSE_CODE, &ret->status);
        if (result == CURLE_OK)
                read_answer(api, ret);
        else {
                long proxy_status = 0;

                (void)curl_easy_getinfo(api->curl, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
                ret->end = api->too_large ? API_TOO_LARGE : api_end_of(result, proxy_status);
                copy_text(ret->message, sizeof(ret->message), *api->error ? api->error : curl_easy_strerror(result));
        }
        if (api->received)
                explicit_bzero(api->received, api->used);
        api->used = 0;
        verbose(api->options, "answer %ld%s%s", ret->status, *ret->error ? " " : "", ret->error);
        if (*ret->request_id)
                verbose(api->options, "request id %s", ret->request_id);
        return ret->end == API_ANSWERED;
}

void api_answer_clear(struct api_answer *answer) {
        json_decref(answer->body);
        *answer = (struct api_answer){.body = NULL};
}
