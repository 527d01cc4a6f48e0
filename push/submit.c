/* SPDX-License-Identifier: Apache-2.0 */
#include "push/submit.h"

#include <errno.h>
#include <time.h>

#include "cli/output.h"
#include "common/debug.h"
#include "wire/refusal.h"

enum { SIGNED_MAX = 3 }; /* a bound for guests that refuse their own challenge each time */

struct submission {
        const struct options *options;
        const struct signer *signer;
        const struct signing_keys *keys; /* NULL: a revocation */
        json_t *envelope;                /* NULL: not made yet */
        int64_t exp_s;                   /* of an envelope that was made without a challenge */
        bool challenged;                 /* the envelope has a challenge of the guest */
        bool fresh;                      /* it is of this connection */
        bool repeated;                   /* the envelope was sent twice, on any connections */
        int n_signed;
};

/* The steps that need no answer of the guest. Returns an exit status. */
static int prepare(struct submission *submission) {
        const struct options *options = submission->options;

        if (options->envelope)
                return signing_read_envelope(options, submission->keys ? PUSH_PAYLOAD_TYPE : REVOKE_PAYLOAD_TYPE,
                                             &submission->envelope);
        submission->challenged = !options->no_challenge;
        submission->exp_s = (int64_t)time(NULL) + signing_valid_for(options);
        return submission->challenged
                       ? EXIT_DONE
                       : signing_envelope(options, submission->signer, submission->keys, NULL, &submission->envelope);
}

/* Makes the envelope where there is none. `ret_status` is not EXIT_DONE when that failed and the error is printed. */
static enum client_result sign(struct submission *submission, struct guest *guest, int *ret_status) {
        struct hello_answer hello;
        enum client_result result;

        submission->fresh = false;
        if (submission->envelope)
                return CLIENT_DONE;
        result = guest_hello(guest, &hello);
        if (result != CLIENT_DONE)
                return result;
        submission->fresh = true;
        submission->n_signed++;
        *ret_status = signing_envelope(submission->options, submission->signer, submission->keys, hello.challenge,
                                       &submission->envelope);
        return CLIENT_DONE;
}

/* Whether the guest has not stored this envelope and never will, and may accept another one. */
static bool challenge_is_lost(const struct submission *submission, const struct guest *guest) {
        return submission->challenged && guest->refusal.refused.why == REFUSAL_STALE_CHALLENGE &&
               (!submission->fresh || guest->repeated) && submission->n_signed < SIGNED_MAX;
}

/*
 * Whether a new envelope is refused as Expired although exp is in the future by the guest's clock: the guest's memory
 * of pushes is younger than 30 s, since it booted or its store was mounted again. A challenge needs no memory.
 */
static bool needs_challenge(const struct submission *submission, struct guest *guest) {
        struct refusal_answer refusal = guest->refusal;
        struct hello_answer hello;
        bool needs;

        if (submission->challenged || submission->options->envelope || refusal.refused.why != REFUSAL_EXPIRED)
                return false;
        needs = guest_hello(guest, &hello) == CLIENT_DONE && hello.clock.unix_s < submission->exp_s;
        guest->refusal = refusal;
        return needs;
}

static void start_over(struct submission *submission) {
        json_decref(submission->envelope);
        submission->envelope = NULL;
        submission->repeated = false;
}

int submit(const struct options *options, const struct signer *signer, const struct signing_keys *keys,
           submit_call call, void *context, struct guest *ret_guest) {
        struct submission submission = {.options = options, .signer = signer, .keys = keys};
        struct patience patience = ask_patience(options);
        int status;

        *ret_guest = (struct guest){.client = {.fd = -EBADF}};
        status = prepare(&submission);
        while (status == EXIT_DONE) {
                enum client_result result = guest_connect(ret_guest, &options->address, options->timeout * 1000);

                if (result == CLIENT_DONE)
                        result = sign(&submission, ret_guest, &status);
                if (status != EXIT_DONE)
                        break;
                if (result == CLIENT_DONE)
                        result = call(context, ret_guest, submission.envelope);
                submission.repeated = submission.repeated || ret_guest->repeated;
                if (result == CLIENT_REFUSED && challenge_is_lost(&submission, ret_guest)) {
                        debug_line("challenge: not of this connection; signing another push");
                        start_over(&submission);
                } else if (result == CLIENT_REFUSED && needs_challenge(&submission, ret_guest)) {
                        complain("the guest refused the push by its clock: %s; signing with its challenge instead",
                                 ret_guest->refusal.refused.message);
                        start_over(&submission);
                        submission.challenged = true;
                } else if (result != CLIENT_NOT_REACHED || !ask_again(options, ret_guest, &patience)) {
                        ret_guest->repeated = submission.repeated; /* guest_connect() clears it */
                        status = ask_result(options, ret_guest, result);
                        break;
                }
                guest_close(ret_guest);
        }
        json_decref(submission.envelope);
        return status;
}
