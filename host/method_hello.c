/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>

#include "host/clock.h"
#include "host/host.h"
#include "wire/json_dispatch.h"

struct hello_call {
        const char *instance;
        int64_t timeout_ms;
};

static const struct json_dispatch_field fields[] = {
        {"instance", json_dispatch_text_ref, offsetof(struct hello_call, instance), .min = 1, .max = VM_ID_MAX - 1,
         .required = true, .expected = "the id of a VM"},
        {"timeoutMs", json_dispatch_integer, offsetof(struct hello_call, timeout_ms), .min = HOST_TIMEOUT_MIN_MS,
         .max = HOST_TIMEOUT_MAX_MS, .required = true, .expected = "100 to 60000 milliseconds"},
        {.name = NULL},
};

static json_t *answer_json(const struct hello_answer *answer, const char *handle) {
        return json_pack("{ss ss? ss ss s{sI sb} ss}", "handle", handle, "guestInstance",
                         answer->instance[0] ? answer->instance : NULL, "bootId", answer->boot_id, "challenge",
                         answer->challenge, "clock", "unix", (json_int_t)answer->clock.unix_s, "synchronized",
                         answer->clock.synchronized, "version", answer->version);
}

/* Connects and asks, within the guest's turn. */
static enum client_result ask(struct session *session, int64_t deadline_ms, struct hello_answer *ret) {
        int64_t left_ms = deadline_ms - clock_ms(CLOCK_MONOTONIC);
        int timeout_ms = left_ms > 0 ? (int)left_ms : 1;
        enum client_result result = guest_connect(&session->guest, &session->instance->address, timeout_ms);

        if (result != CLIENT_DONE)
                return result;
        guest_limit(&session->guest, timeout_ms, deadline_ms);
        return guest_hello(&session->guest, ret);
}

/* Takes ownership of the session. Its handle is left in `ret_handle` where it is held. */
static struct outcome hello(struct host *host, struct session *session, int64_t deadline_ms,
                            char ret_handle[static TOKEN_MAX]) {
        const char *id = session->instance->id;
        struct hello_answer answer;
        enum client_result result;
        struct outcome outcome;
        int r;

        if (!host_take_turn(host, session->instance, deadline_ms, &outcome)) {
                session_end(host->instances, session);
                return outcome;
        }
        session->has_turn = true;
        result = ask(session, deadline_ms, &answer);
        instance_record(host->instances, session->instance, result == CLIENT_DONE || result == CLIENT_REFUSED,
                        result == CLIENT_DONE ? answer.boot_id : NULL);
        if (result != CLIENT_DONE) {
                outcome = outcome_of_guest(&session->guest, result, false);
                session_end(host->instances, session);
                return outcome;
        }
        if (session->instance->address.kind != ADDRESS_SERIAL) {
                turns_release(session->instance->turns);
                session->has_turn = false;
        }
        r = sessions_hold(host->sessions, session, ret_handle);
        if (r == 0)
                return outcome_done(answer_json(&answer, ret_handle));
        outcome = outcome_error(HOST_BUSY, "%s: %s", id,
                                r == -EBUSY ? "too many handles are open; use them or try again" : "no random bytes");
        ret_handle[0] = '\0';
        session_end(host->instances, session);
        return outcome;
}

void method_hello(void *context, struct serve_call *call) {
        struct host *host = context;
        struct hello_call asked;
        struct instance *instance;
        struct session *session;
        struct refused why;
        const char *field;
        char handle[TOKEN_MAX] = "";
        int64_t begun_ms = clock_ms(CLOCK_MONOTONIC);

        field = json_dispatch(call->parameters, fields, JSON_DISPATCH_REFUSE_UNKNOWN, &asked, &why);
        if (field) {
                (void)outcome_reply(call, outcome_field(field, &why));
                return;
        }
        instance = instances_find(host->instances, asked.instance);
        if (!instance) {
                (void)outcome_reply(call, outcome_error(HOST_NO_SUCH_INSTANCE, "this host has no such VM"));
                return;
        }
        session = session_new(instance);
        if (!session) {
                instance_unref(host->instances, instance);
                (void)outcome_reply(call, outcome_error(HOST_BUSY, "out of memory"));
                return;
        }
        if (outcome_reply(call, hello(host, session, begun_ms + asked.timeout_ms, handle)) == 0 || !handle[0])
                return;
        /* The caller is gone, and nobody else knows the handle. */
        instance = instances_find(host->instances, asked.instance);
        session = instance ? sessions_take(host->sessions, handle, instance) : NULL;
        if (session)
                session_end(host->instances, session);
        if (instance)
                instance_unref(host->instances, instance);
}
