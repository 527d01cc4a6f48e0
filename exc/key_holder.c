/* SPDX-License-Identifier: Apache-2.0 */
#include "exc/key_holder.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "cli/session.h"
#include "libpush/agent_socket.h"
#include "libpush/key_pair.h"
#include "libpush/ssh_agent.h"

#define NS_PER_S INT64_C(1000000000)

/* draft-miller-ssh-agent section 6.1 */
enum { AGENT_FAILURE = 5, AGENT_SUCCESS = 6, AGENTC_EXTENSION = 27 };

struct held {
        struct key_pair pair; /* without a private half: the slot is free */
        pid_t owner;
        int64_t until_ns;
};

struct holder {
        struct held keys[KEY_HOLDER_KEYS_MAX];
        int64_t busy_ns; /* when there was a key last, or a message */
};

static struct held *find_owner(struct holder *holder, pid_t owner) {
        struct held *latest = NULL;

        for (size_t i = 0; i < KEY_HOLDER_KEYS_MAX; i++) {
                struct held *held = &holder->keys[i];

                /* A process that has taken the pid of another has the later key. */
                if (held->pair.private_half && held->owner == owner && (!latest || held->until_ns > latest->until_ns))
                        latest = held;
        }
        return latest;
}

static struct held *find_key(struct holder *holder, struct bytes blob) {
        for (size_t i = 0; i < KEY_HOLDER_KEYS_MAX; i++) {
                const struct ssh_key *key = &holder->keys[i].pair.public_half;

                if (holder->keys[i].pair.private_half && bytes_equal(blob, key->blob, key->blob_length))
                        return &holder->keys[i];
        }
        return NULL;
}

/* Where all are taken, those of an ssh that has ended are wiped: nobody can ask for them any more. */
static struct held *free_slot(struct holder *holder) {
        struct held *found = NULL;

        for (size_t i = 0; i < KEY_HOLDER_KEYS_MAX; i++)
                if (!holder->keys[i].pair.private_half)
                        return &holder->keys[i];
        for (size_t i = 0; i < KEY_HOLDER_KEYS_MAX; i++) {
                struct held *held = &holder->keys[i];

                if (kill(held->owner, 0) < 0 && errno == ESRCH) {
                        key_pair_wipe(&held->pair);
                        found = held;
                }
        }
        return found;
}

static bool make(struct holder *holder, struct bytes request, struct writer *to) {
        struct held *held = free_slot(holder);
        uint32_t owner;

        if (!bytes_u32(&request, &owner) || request.left > 0 || owner == 0 || owner > INT_MAX || !held ||
            key_pair_make(&held->pair) < 0)
                return false;
        held->owner = (pid_t)owner;
        held->until_ns = session_now_ns() + KEY_HOLDER_MAKE_S * NS_PER_S;
        writer_u8(to, AGENT_SUCCESS);
        writer_string(to, held->pair.public_half.blob, held->pair.public_half.blob_length);
        return true;
}

static bool keep(struct holder *holder, struct bytes request, struct writer *to) {
        struct held *held;
        struct bytes blob;
        uint32_t seconds;

        if (!bytes_string(&request, &blob) || !bytes_u32(&request, &seconds) || request.left > 0 ||
            seconds > KEY_HOLDER_KEEP_MAX_S)
                return false;
        held = find_key(holder, blob);
        if (!held)
                return false;
        held->until_ns = session_now_ns() + seconds * NS_PER_S;
        writer_u8(to, AGENT_SUCCESS);
        return true;
}

static bool extension(struct holder *holder, struct bytes message, struct writer *to) {
        struct bytes name;

        if (!bytes_string(&message, &name))
                return false;
        if (bytes_equal(name, KEY_HOLDER_MAKE, strlen(KEY_HOLDER_MAKE)))
                return make(holder, message, to);
        return bytes_equal(name, KEY_HOLDER_KEEP, strlen(KEY_HOLDER_KEEP)) && keep(holder, message, to);
}

static void answer(void *context, pid_t peer, struct bytes message, struct writer *to) {
        struct holder *holder = context;
        const struct held *held = find_owner(holder, peer);
        uint8_t body[SSH_AGENT_ANSWER_MAX - 4], number;
        struct writer own = {.data = body, .size = sizeof(body)};
        struct bytes rest = message;

        holder->busy_ns = session_now_ns();
        if (!bytes_u8(&rest, &number) || number != AGENTC_EXTENSION) {
                if (held) {
                        (void)ssh_agent_answer(&held->pair, message, to);
                        return;
                }
                writer_u8(&own, AGENT_FAILURE);
        } else if (!extension(holder, rest, &own) || own.full) {
                own = (struct writer){.data = body, .size = sizeof(body)};
                writer_u8(&own, AGENT_FAILURE);
        }
        writer_string(to, body, own.used);
}

/* Wipes what has expired. When to look again; 0: there is nothing more to hold. */
static int64_t expire(struct holder *holder) {
        int64_t now = session_now_ns(), next = 0;

        for (size_t i = 0; i < KEY_HOLDER_KEYS_MAX; i++) {
                struct held *held = &holder->keys[i];

                if (!held->pair.private_half)
                        continue;
                holder->busy_ns = now;
                if (held->until_ns <= now)
                        key_pair_wipe(&held->pair);
                else if (next == 0 || held->until_ns < next)
                        next = held->until_ns;
        }
        if (next == 0 && holder->busy_ns + KEY_HOLDER_IDLE_S * NS_PER_S > now)
                next = holder->busy_ns + KEY_HOLDER_IDLE_S * NS_PER_S;
        return next;
}

static int left_ms(int64_t until) {
        int64_t left = (until - session_now_ns()) / 1000000 + 1;

        return left > INT_MAX ? INT_MAX : left < 0 ? 0 : (int)left;
}

void key_holder_serve(int fd) {
        static struct holder holder;
        struct agent_socket agent;
        int64_t until;

        holder.busy_ns = session_now_ns();
        agent_socket_serve_at(&agent, fd, answer, &holder);
        for (;;) {
                struct pollfd polled[AGENT_POLL_MAX];
                size_t n = agent_socket_poll(&agent, polled);
                int ready;

                until = expire(&holder);
                ready = poll(polled, n, until != 0 ? left_ms(until) : 0);
                if (ready < 0 && errno != EINTR)
                        break;
                if (ready == 0 && until == 0)
                        break;
                if (ready > 0)
                        agent_socket_serve(&agent, polled, n);
        }
        agent_socket_close(&agent);
        for (size_t i = 0; i < KEY_HOLDER_KEYS_MAX; i++)
                if (holder.keys[i].pair.private_half)
                        key_pair_wipe(&holder.keys[i].pair);
}
