/* SPDX-License-Identifier: Apache-2.0 */
#include "push/ask.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "cli/output.h"
#include "common/clock.h"
#include "wire/refusal.h"

enum { PAUSE_MS = 500 }; /* between two tries */

struct patience ask_patience(const struct options *options) {
        return (struct patience){.until_ms = clock_ms(CLOCK_MONOTONIC) + (int64_t)options->wait * 1000};
}

bool ask_again(const struct options *options, const struct guest *guest, struct patience *patience) {
        const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000};
        int error = guest->client.error;

        if (error == -EACCES || error == -EPERM || clock_ms(CLOCK_MONOTONIC) + PAUSE_MS > patience->until_ms)
                return false;
        if (!patience->reported)
                complain("%s: the guest was not reached: %s; trying again for %d s", options->to, guest->client.why,
                         options->wait);
        patience->reported = true;
        (void)nanosleep(&pause, NULL);
        return true;
}

int ask_guest(const struct options *options, enum client_result (*call)(void *context, struct guest *guest),
              void *context, struct guest *ret) {
        struct patience patience = ask_patience(options);

        for (;;) {
                enum client_result result = guest_connect(ret, &options->address, options->timeout * 1000);

                if (result == CLIENT_DONE)
                        result = call(context, ret);
                if (result != CLIENT_NOT_REACHED || !ask_again(options, ret, &patience))
                        return ask_result(options, ret, result);
                guest_close(ret);
        }
}

static const char *hint_not_reached(const struct options *options, int error) {
        enum address_kind kind = options->address.kind;

        switch (error) {
        case -ENOENT:
                return "is the path right, and the guest running?";
        case -ECONNREFUSED:
                return "nothing listens there: is the guest running?";
        case -EACCES:
        case -EPERM:
                return "run this as the user that owns the channel";
        case -ENOTCONN:
                return "does the guest run, and exc-instance-connect-vsock.socket in it?";
        case -ECONNRESET:
                return kind == ADDRESS_VSOCK || kind == ADDRESS_HYBRID
                               ? "does the guest run, and exc-instance-connect-vsock.socket in it? It takes only its "
                                 "host here"
                               : "in the guest, see journalctl -t exc-instance-connect-agent";
        case -ENODEV:
        case -EAFNOSUPPORT:
        case -ENETUNREACH:
                return kind == ADDRESS_VSOCK
                               ? "is the CID right, and is there vsock on this machine (modprobe vhost_vsock)?"
                               : "is the guest running?";
        case -ETIMEDOUT:
                if (kind == ADDRESS_SERIAL)
                        return "is the guest up, with exc-instance-connect-relay.service in it, and no other "
                               "client connected to this socket? It takes one at a time";
                /* fall through */
        default:
                return "is the guest running? See journalctl -t exc-instance-connect-agent";
        }
}

static const char *hint_refused(const struct options *options, enum refusal why, const char *message) {
        switch (why) {
        case REFUSAL_PERMISSION_DENIED:
                return "this channel does not take that call: use the guest's host channel";
        case REFUSAL_TOO_LARGE:
                return "push fewer or smaller keys at a time";
        case REFUSAL_RATE_LIMITED:
                return "wait, and try again";
        case REFUSAL_UNTRUSTED:
                return "sign with a key whose public half is in the guest's /etc/exc-instance-connect/trust.d";
        case REFUSAL_BAD_SIGNATURE:
                if (options->sign_command)
                        return "is the public half of the command's key in the guest's "
                               "/etc/exc-instance-connect/trust.d? If "
                               "so, it signs other bytes: with ECDSA, hash once, in the command or in the service";
                return "is the public half of this key in the guest's /etc/exc-instance-connect/trust.d?";
        case REFUSAL_WRONG_INSTANCE:
                return "exc-push hello shows the guest's own id; is this the guest you mean?";
        case REFUSAL_NOT_YET_VALID:
                return "compare the clocks with exc-push hello, or push without --no-challenge";
        case REFUSAL_EXPIRED:
                /* Not by the clock: it was revoked, or the guest's memory is too young. The message has the next step. */
                if (strstr(message, "; sign "))
                        return NULL;
                return "compare the clocks with exc-push hello, or sign again, without --envelope";
        case REFUSAL_CLOCK_UNSYNCHRONIZED:
                return "push without --no-challenge: then the guest needs no clock";
        case REFUSAL_REPLAYED:
                return "make and sign a new one";
        case REFUSAL_NO_SUCH_USER:
                return "look in the guest with: getent passwd NAME";
        case REFUSAL_USER_DENIED:
                return "see AllowUsers, DenyUsers, AllowGroups, DenyGroups and MinUid in the guest's configuration";
        case REFUSAL_STORE_FULL:
                return "wait until keys expire, or drop some with exc-push revoke";
        case REFUSAL_STORAGE_FAILURE:
                return "in the guest, see journalctl -t exc-instance-connect-agent";
        default:
                return NULL;
        }
}

/* `value` may be NULL. Takes ownership of `object`; returns it, or NULL without memory. */
static json_t *with(json_t *object, const char *name, json_t *value) {
        if (object && json_object_set_new(object, name, value) == 0)
                return object;
        json_decref(object);
        return NULL;
}

static json_t *refusal_json(const struct refusal_answer *refusal) {
        const struct refused *refused = &refusal->refused;
        json_t *parameters = json_object();

        if (refused->why != REFUSAL_NONE)
                parameters = with(parameters, "message", json_string(refused->message));
        else if (!parameters)
                return NULL;
        if (parameters && refused->field[0])
                parameters = with(parameters, "field", json_string(refused->field));
        if (parameters && refused->why == REFUSAL_KEY_REJECTED)
                parameters = with(parameters, "index", json_integer(refused->index));
        if (parameters && refused->why == REFUSAL_RATE_LIMITED)
                parameters = with(parameters, "retryAfterMs", json_integer(refused->retry_after_ms));
        return parameters ? json_pack("{ss so}", "error", refusal->name, "parameters", parameters) : NULL;
}

static int refused(const struct options *options, const struct guest *guest) {
        const struct refusal_answer *refusal = &guest->refusal;
        enum refusal why = refusal->refused.why;
        /* An error of varlink itself, or of a newer guest. */
        int status = why == REFUSAL_NONE ? EXIT_OWN_FAILURE : refusal_exit_status(why);
        const char *message = refusal->refused.message, *hint = hint_refused(options, why, message);

        if (options->json) {
                int r = print_json_new(refusal_json(refusal));

                return r == EXIT_DONE ? status : r;
        }
        complain("the guest refused: %s%s%s", refusal->name, *message ? ": " : "", message);
        if (why == REFUSAL_STALE_CHALLENGE)
                hint = guest->repeated
                               ? "no answer came at first, and the guest did not take it: run this again, perhaps "
                                 "with a longer --timeout"
                               : "run this again";
        if (hint)
                complain("%s", hint);
        return status;
}

int ask_result(const struct options *options, const struct guest *guest, enum client_result result) {
        const struct client *client = &guest->client;

        switch (result) {
        case CLIENT_DONE:
                return EXIT_DONE;
        case CLIENT_REFUSED:
                return refused(options, guest);
        case CLIENT_NOT_REACHED:
                complain("%s: the guest was not reached: %s; %s", options->to, client->why,
                         hint_not_reached(options, client->error));
                if (guest->repeated)
                        complain("it was sent twice, and may have arrived: whether the guest took it is not known");
                return EXIT_NOT_REACHED;
        case CLIENT_PROTOCOL:
                complain(
                        "%s: the answer is not that of a guest's agent: %s; does exc-instance-connect listen there, in "
                        "a version that goes with this one?",
                        options->to, client->why);
                return EXIT_OWN_FAILURE;
        case CLIENT_FAILED:
                break;
        }
        complain("%s: cannot ask the guest: %s", options->to, client->why);
        return EXIT_OWN_FAILURE;
}

FILE *ask_stream(const struct options *options) {
        return *options->known_hosts ? stderr : stdout;
}

int ask_no_host_keys(const struct options *options) {
        complain("%s: the guest names no host key; see HostKeyFiles in its exc-instance-connect.conf(5)", options->to);
        return EXIT_OWN_FAILURE;
}

int ask_print_known_hosts(const struct options *options, const struct host_keys *keys) {
        for (size_t i = 0; i < keys->n; i++) {
                char line[KNOWN_HOSTS_LINE_MAX];

                known_hosts_line(options->known_hosts, &keys->at[i].key, line);
                (void)puts(line);
        }
        return keys->n > 0 ? EXIT_DONE : ask_no_host_keys(options);
}

json_t *ask_clock(const struct guest_clock *clock) {
        return json_pack("{sI sb}", "unix", (json_int_t)clock->unix_s, "synchronized", clock->synchronized);
}
