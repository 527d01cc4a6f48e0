/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls to a guest over one connection. Answers are checked as libpush/answer.h says.
 *
 * 1. guest_connect(), or guest_adopt() for a stream that is connected already.
 * 2. guest_hello() where its challenge is needed. On a stream that outlives its peers each connection begins with one
 *    in any case: what arrives before the guest's answer to this Hello answers an earlier peer, and is skipped.
 * 3. guest_push() and the others.
 *
 * The timeout is for each call. Push and Revoke without an answer are sent once more, the same bytes on a new
 * connection: the guest answers a repeat with success and changes nothing. The repeat can fail with StaleChallenge,
 * when the envelope has a challenge of the first connection and the guest did not store it there. The guest never will:
 * the first connection is closed before the second is made.
 *
 * guest_limit() bounds all further calls by one deadline, with their repeats.
 */
#ifndef EXC_GUEST_H
#define EXC_GUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libpush/address.h"
#include "libpush/answer.h"

enum {
        GUEST_TIMEOUT_MS = 5 * 1000,
        /*
         * Bytes of replies to earlier peers before ours. A predecessor that did not read leaves up to 256 KiB of them
         * in a serial port, and 256 KiB of calls whose answers are many times as long.
         */
        GUEST_STALE_MAX = 24 * 1024 * 1024,
};

struct guest {
        struct client client; /* its `error` and `why` are set after all results but CLIENT_DONE and CLIENT_REFUSED */
        struct address address;
        bool reconnects;               /* `address` is known */
        bool outlives;                 /* the stream outlives its peers */
        bool greeted;                  /* the guest answered our Hello on this connection */
        bool repeated;                 /* the latest Push or Revoke was sent twice */
        bool sent;                     /* bytes of the latest Push or Revoke may have reached the guest */
        int timeout_ms;                /* for each call */
        int64_t deadline_ms;           /* CLOCK_MONOTONIC; no call ends later. 0: none */
        struct refusal_answer refusal; /* after CLIENT_REFUSED */
};

/* `ret` must be closed whatever the result: CLIENT_DONE, CLIENT_NOT_REACHED or CLIENT_FAILED. */
enum client_result guest_connect(struct guest *ret, const struct address *address, int timeout_ms);

/* Takes ownership of a connected stream socket. `outlives`: it is a byte stream that outlives its peers, as
 * virtio-serial is. */
void guest_adopt(struct guest *ret, int fd, bool outlives, int timeout_ms);

void guest_close(struct guest *guest);

/* From now on each call has `timeout_ms`, and none ends after `deadline_ms` (CLOCK_MONOTONIC), nor does its repeat. */
void guest_limit(struct guest *guest, int timeout_ms, int64_t deadline_ms);

/* The functions below return the results of wire/client.h; `ret` is filled for CLIENT_DONE. */
enum client_result guest_hello(struct guest *guest, struct hello_answer *ret);

/*
 * Sends an envelope (envelope_to_json()), which the caller keeps. `expected`: the fingerprints of its keys, in any
 * order; an answer with others is CLIENT_PROTOCOL. NULL where they are not known.
 */
enum client_result guest_push(struct guest *guest, json_t *envelope, const char (*expected)[FINGERPRINT_MAX],
                              size_t n_expected, struct push_answer *ret);
enum client_result guest_revoke(struct guest *guest, json_t *envelope, int64_t *ret_revoked);

enum client_result guest_status(struct guest *guest, struct status_answer *ret);
enum client_result guest_host_keys(struct guest *guest, struct host_keys *ret);

#endif
