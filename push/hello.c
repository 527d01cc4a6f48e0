/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "cli/output.h"
#include "push/ask.h"
#include "push/command.h"
#include "wire/refusal.h"

static int print_json_answer(const struct hello_answer *answer) {
        const struct guest_limits *limits = &answer->limits;
        json_t *object = json_pack("{sI sI sI sI sI}", "messageBytes", (json_int_t)limits->message_bytes, "maxTtl",
                                   (json_int_t)limits->max_ttl, "keysPerPush", (json_int_t)limits->keys_per_push,
                                   "keysPerUser", (json_int_t)limits->keys_per_user, "keys", (json_int_t)limits->keys);

        return print_json_new(json_pack("{ss so ss ss so so}", "version", answer->version, "instance",
                                        text_or_null(answer->instance), "bootId", answer->boot_id, "challenge",
                                        answer->challenge, "clock", ask_clock(&answer->clock), "limits", object));
}

static int print(const struct options *options, const struct hello_answer *answer) {
        FILE *to = ask_stream(options);
        char ttl[DURATION_MAX];

        if (options->json)
                return print_json_answer(answer);
        duration_text(answer->limits.max_ttl, ttl);
        print_field_to(to, "Agent", "%s", answer->version);
        print_field_to(to, "Instance", "%s", *answer->instance ? answer->instance : "none: signed pushes are refused");
        print_field_to(to, "Boot", "%s", answer->boot_id);
        print_clock(to, answer->clock.unix_s, answer->clock.synchronized);
        print_field_to(to, "Longest life", "%s", ttl);
        print_field_to(to, "Keys", "at most %" PRId64 " in a push, %" PRId64 " of a user, %" PRId64 " in all",
                       answer->limits.keys_per_push, answer->limits.keys_per_user, answer->limits.keys);
        return EXIT_DONE;
}

struct asked {
        bool for_host_keys;
        struct hello_answer answer;
        struct host_keys host_keys;
};

static enum client_result call(void *context, struct guest *guest) {
        struct asked *asked = context;
        enum client_result result = guest_hello(guest, &asked->answer);

        return result == CLIENT_DONE && asked->for_host_keys ? guest_host_keys(guest, &asked->host_keys) : result;
}

static int hello(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct asked asked = {.for_host_keys = *options->known_hosts};
        struct guest guest;
        int status;

        if (options->json && asked.for_host_keys)
                return cli_usage(line, "--json and --known-hosts do not go together");
        status = ask_guest(options, call, &asked, &guest);
        guest_close(&guest);
        if (status == EXIT_DONE)
                status = print(options, &asked.answer);
        if (status == EXIT_DONE && asked.for_host_keys)
                status = ask_print_known_hosts(options, &asked.host_keys);
        return status;
}

const struct cli_command hello_command = {
        .words = "hello",
        .summary = "show who a guest is, its clock and its limits",
        .more = "Shows a guest's agent version, instance id, boot, clock and limits.\n",
        .tables = {push_guest_options, push_known_hosts_options},
        .run = hello,
};
