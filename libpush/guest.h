/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest, asked over one connection. What it answers is looked at as in libpush/answer.h.
 *
 * 1. guest_connect(), or guest_adopt() for a stream that is connected already.
 * 2. guest_hello() where its challenge is wanted. On a stream that outlives its peers each connection begins with one
 *    in any case: everything that comes before the guest's answer to this very Hello belongs to somebody else, and is
 *    skipped.
 * 3. guest_push() and the rest.
 *
 * Each call has the timeout for itself. Push and Revoke that get no answer are sent once more, the very same bytes on a
 * new connection: the guest answers a repeat with success and changes nothing. That can fail with StaleChallenge, when
 * the envelope has a challenge of the first connection and the guest has not stored it there. It never will, for the
 * first connection is closed before the second is made.
 */
#ifndef EXC_GUEST_H
#define EXC_GUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "libpush/address.h"
#include "libpush/answer.h"

enum {
        GUEST_TIMEOUT_MS = 5 * 1000,
        /*
         * Bytes of other peers' replies before ours. A predecessor that did not read leaves a quarter of a MiB of them in
         * a serial port, and its calls, as much again, whose answers are many times as long.
         */
        GUEST_STALE_MAX = 24 * 1024 * 1024,
};

struct guest {
        struct client client; /* its `error` and `why` say what is wrong after all but CLIENT_DONE and CLIENT_REFUSED */
        struct address address;
        bool reconnects;               /* `address` is known */
        bool outlives;                 /* the stream outlives its peers */
        bool greeted;                  /* on this connection, the guest answered our Hello */
        bool repeated;                 /* the latest Push or Revoke was sent twice */
        struct refusal_answer refusal; /* after CLIENT_REFUSED */
};

/* `ret` must be closed whatever the result: CLIENT_DONE, CLIENT_NOT_REACHED or CLIENT_FAILED. */
enum client_result guest_connect(struct guest *ret, const struct address *address, int timeout_ms);

/* Takes over a connected stream socket. `outlives`: it is a byte stream that outlives its peers, as virtio-serial. */
void guest_adopt(struct guest *ret, int fd, bool outlives, int timeout_ms);

void guest_close(struct guest *guest);

/* The results of all that follow are those of wire/client.h; `ret` is filled for CLIENT_DONE. */
enum client_result guest_hello(struct guest *guest, struct hello_answer *ret);

/*
 * Sends an envelope (envelope_to_json()), which stays the caller's. `expected`: the fingerprints of its keys, in any
 * order; an answer with others is CLIENT_PROTOCOL. NULL where they are not known.
 */
enum client_result guest_push(struct guest *guest, json_t *envelope, const char (*expected)[FINGERPRINT_MAX],
                              size_t n_expected, struct push_answer *ret);
enum client_result guest_revoke(struct guest *guest, json_t *envelope, int64_t *ret_revoked);

enum client_result guest_status(struct guest *guest, struct status_answer *ret);
enum client_result guest_host_keys(struct guest *guest, struct host_keys *ret);

#endif
