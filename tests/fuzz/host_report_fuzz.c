/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the replies to Report, through the client: what is taken has an id that the register can have and words of the
 * interface, and is the same when it is reported again.
 *
 * Input: the stream of replies, as wire/client.h takes it.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cloud/api/host_reports.h"
#include "wire/client.h"
#include "wire/vm_id.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void require(bool condition) {
        if (!condition)
                abort();
}

static bool is_one_of(const char *word, const char *const *words) {
        while (*words && strcmp(*words, word) != 0)
                words++;
        return *words;
}

static void check_report(const struct host_report *report) {
        static const char *const kinds[] = {"vsock", "hybrid", "serial", "unix", NULL};
        static const char *const states[] = {"unknown", "reachable", "unreachable", NULL};

        require(strnlen(report->id, sizeof(report->id)) < sizeof(report->id) && vm_id_valid(report->id));
        require(is_one_of(report->kind, kinds) && is_one_of(report->state, states));
        require(report->first_seen >= 0);
}

static json_t *print(const struct host_report *reports, size_t n) {
        json_t *list = json_array();

        for (size_t i = 0; i < n; i++)
                require(json_array_append_new(list, json_pack("{ss ss ss sI}", "id", reports[i].id, "kind",
                                                              reports[i].kind, "state", reports[i].state, "firstSeen",
                                                              (json_int_t)reports[i].first_seen)) == 0);
        list = json_pack("{so}", "instances", list);
        require(list);
        return list;
}

static void check_parameters(json_t *parameters) {
        static struct host_report reports[HOST_REPORT_MAX], again[HOST_REPORT_MAX];
        size_t n = 0, n_again = 0;
        json_t *printed;

        if (!host_reports_parse(parameters, reports, &n))
                return;
        require(n <= HOST_REPORT_MAX && n <= json_array_size(json_object_get(parameters, "instances")));
        for (size_t i = 0; i < n; i++)
                check_report(&reports[i]);
        printed = print(reports, n);
        require(host_reports_parse(printed, again, &n_again) && n_again == n);
        for (size_t i = 0; i < n; i++)
                require(strcmp(again[i].id, reports[i].id) == 0 && strcmp(again[i].kind, reports[i].kind) == 0 &&
                        strcmp(again[i].state, reports[i].state) == 0 && again[i].first_seen == reports[i].first_seen);
        json_decref(printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
        struct client_reply reply;
        enum client_result result;
        struct client client;
        int fds[2];

        if (size > 4 * FRAME_MAX) /* more than the socket would hold */
                return 0;
        require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
        require(size == 0 || send(fds[1], input, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size);
        client_adopt(&client, fds[0], CLIENT_TIMEOUT_MS);
        require(client_send(&client, "in.excloud.Host.Report", json_object(), true) == CLIENT_DONE);
        require(shutdown(fds[1], SHUT_WR) == 0);
        while ((result = client_receive(&client, &reply)) != CLIENT_NOT_REACHED) {
                require(result != CLIENT_FAILED);
                if (result == CLIENT_PROTOCOL)
                        continue;
                check_parameters(reply.parameters);
                json_decref(reply.parameters);
        }
        client_close(&client);
        (void)close(fds[1]);
        return 0;
}
