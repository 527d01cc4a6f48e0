/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <syslog.h>

#include "cloud/api/http_internal.h"
#include "cloud/api/journal.h"

enum { TICK_US = 1000 * 1000 };

/* --- libmicrohttpd in the loop -------------------------------------------------------------------------------------- */

void http_run(struct http *http) {
        MHD_UNSIGNED_LONG_LONG timeout_ms;

        if (MHD_run(http->daemon) != MHD_YES)
                journal_note(LOG_ERR, "libmicrohttpd: cannot run: %s", strerror(errno));
        /* It says 0 while it has work left that no descriptor shows; our own limits take the place of its time-outs. */
        (void)sd_event_source_set_enabled(
                http->again, MHD_get_timeout(http->daemon, &timeout_ms) == MHD_YES && timeout_ms == 0 ? SD_EVENT_ONESHOT
                                                                                                      : SD_EVENT_OFF);
        http_listeners_balance(http);
        if (http->stopping && http->n_exchanges == 0)
                (void)sd_event_exit(http->event, 0);
}

static int on_epoll(sd_event_source *source, int fd, uint32_t events, void *context) {
        (void)source;
        (void)fd;
        (void)events;
        http_run(context);
        return 0;
}

static int on_again(sd_event_source *source, void *context) {
        (void)source;
        http_run(context);
        return 0;
}

static int on_done(sd_event_source *source, int fd, uint32_t events, void *context) {
        struct http *http = context;
        struct worker_job *job, *next;

        (void)source;
        (void)fd;
        (void)events;
        for (job = worker_take_done(http->workers); job; job = next) {
                struct http_exchange *exchange = (struct http_exchange *)job;

                next = job->next;
                exchange->state = EXCHANGE_DONE;
                MHD_resume_connection(exchange->mhd);
        }
        http_run(http);
        return 0;
}

static int on_tick(sd_event_source *source, uint64_t now_us, void *context) {
        struct http *http = context;
        int r;

        (void)now_us;
        http->starved = false;
        http_connections_expire(http, http->stopping);
        http_run(http);
        r = sd_event_source_set_time_relative(source, TICK_US);
        return r < 0 ? r
                     : sd_event_source_set_enabled(source, http->n_connections > 0 ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

/* --- start and end -------------------------------------------------------------------------------------------------- */

/* The hard limit is the administrator's (LimitNOFILE= of the unit). */
static size_t connections_max(const struct api_config *config) {
        struct rlimit limit = {.rlim_cur = 1024, .rlim_max = 1024};
        size_t taken = HTTP_DESCRIPTORS_RESERVE + (size_t)config->workers * HTTP_DESCRIPTORS_EACH, left;

        (void)getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
                (void)getrlimit(RLIMIT_NOFILE, &limit);
        left = limit.rlim_cur > taken + 16 ? (size_t)limit.rlim_cur - taken : 16;
        if (left >= config->max_connections)
                return config->max_connections;
        journal_note(LOG_WARNING,
                     "MaxConnections: %u need more descriptors than the %llu that this process may have; "
                     "accepting %zu, or raise LimitNOFILE= of the unit",
                     config->max_connections, (unsigned long long)limit.rlim_cur, left);
        return left;
}

/* Paths and queries are decoded by target_parse(), once. */
static size_t no_unescape(void *context, struct MHD_Connection *mhd, char *text) {
        (void)context;
        (void)mhd;
        return strlen(text);
}

static int start_daemon(struct http *http) {
        const struct MHD_OptionItem options[] = {
                {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)http->n_connections_max + 1, NULL},
                {MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_POOL_SIZE, NULL},
                {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
                {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)http_exchange_begin, http},
                {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)no_unescape, NULL},
                {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)http_connection_notify, http},
                {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)http_exchange_end, http},
                {MHD_OPTION_END, 0, NULL},
        };

        http->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL,
                                        NULL, http_exchange_handle, http, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
        if (http->daemon)
                return 0;
        journal_note(LOG_ERR, "libmicrohttpd: cannot start: %s", strerror(errno));
        return -EIO;
}

static int add_sources(struct http *http) {
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
        int r;

        if (!info)
                return -EIO;
        r = sd_event_add_io(http->event, &http->epoll, info->epoll_fd, EPOLLIN, on_epoll, http);
        if (r >= 0)
                r = sd_event_add_io(http->event, &http->done, worker_done_fd(http->workers), EPOLLIN, on_done, http);
        if (r >= 0)
                r = sd_event_add_defer(http->event, &http->again, on_again, http);
        if (r >= 0)
                r = sd_event_source_set_enabled(http->again, SD_EVENT_OFF);
        /* It is pending as soon as it is enabled, and would keep all others from their turn for as long as it is. */
        if (r >= 0)
                r = sd_event_source_set_priority(http->again, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0)
                r = sd_event_add_time_relative(http->event, &http->tick, CLOCK_MONOTONIC, TICK_US, 0, on_tick, http);
        if (r >= 0)
                r = sd_event_source_set_enabled(http->tick, SD_EVENT_OFF);
        return r;
}

int http_start(struct api *api, sd_event *event, const int *sockets, size_t n, struct http **ret) {
        struct http *http = calloc(1, sizeof(*http));
        int r;

        if (!http)
                return -ENOMEM;
        http->api = api;
        http->event = sd_event_ref(event);
        for (size_t i = 0; i < PHASE_TIMED_; i++)
                TAILQ_INIT(&http->phases[i]);
        TAILQ_INIT(&http->accepted);
        http->n_connections_max = connections_max(api->config);
        r = worker_pool_start(api, api->config->workers, &http->workers);
        if (r < 0)
                journal_note(LOG_ERR, "worker threads: cannot start: %s", strerror(-r));
        if (r >= 0)
                r = start_daemon(http);
        if (r >= 0)
                r = add_sources(http);
        if (r >= 0)
                r = http_listeners_start(http, sockets, n);
        if (r < 0) {
                http_free(http);
                return r;
        }
        *ret = http;
        return 0;
}

static int on_stop_limit(sd_event_source *source, uint64_t now_us, void *context) {
        struct http *http = context;

        (void)source;
        (void)now_us;
        journal_note(LOG_WARNING, "stop: %zu requests are not answered", http->n_exchanges);
        return sd_event_exit(http->event, 1);
}

void http_stop(struct http *http) {
        http->stopping = true;
        http_listeners_stop(http);
        http_connections_expire(http, true);
        if (sd_event_add_time_relative(http->event, &http->stop_limit, CLOCK_MONOTONIC, HTTP_STOP_MS * UINT64_C(1000),
                                       0, on_stop_limit, http) < 0)
                (void)sd_event_exit(http->event, 1);
        (void)sd_event_source_set_enabled(http->again, SD_EVENT_ONESHOT);
}

void http_free(struct http *http) {
        if (!http)
                return;
        http_listeners_stop(http);
        worker_pool_stop(http->workers);
        if (http->daemon)
                MHD_stop_daemon(http->daemon);
        http_connections_drop_all(http);
        (void)sd_event_source_unref(http->epoll);
        (void)sd_event_source_unref(http->again);
        (void)sd_event_source_unref(http->done);
        (void)sd_event_source_unref(http->tick);
        (void)sd_event_source_unref(http->stop_limit);
        (void)sd_event_unref(http->event);
        free(http);
}
