/* SPDX-License-Identifier: Apache-2.0 */
#include "control/submit.h"

#include <errno.h>

#include "wire/refusal.h"

int submit_prepare(const struct options *options, const struct signer *signer, const struct signing_keys *keys,
                   struct guest *ret_guest, json_t **ret_envelope) {
        bool challenge = !given(options, OPTION_ENVELOPE) && !given(options, OPTION_NO_CHALLENGE);
        struct hello_answer hello;
        int status = EXIT_DONE;

        *ret_guest = (struct guest){.client = {.fd = -EBADF}};
        *ret_envelope = NULL;
        if (given(options, OPTION_ENVELOPE))
                status = signing_read_envelope(options, keys ? PUSH_PAYLOAD_TYPE : REVOKE_PAYLOAD_TYPE, ret_envelope);
        else if (!challenge)
                status = signing_envelope(options, signer, keys, NULL, ret_envelope);
        if (status == EXIT_DONE)
                status = ask_connect(options, ret_guest);
        if (status == EXIT_DONE && challenge)
                status = ask_result(options, ret_guest, guest_hello(ret_guest, &hello));
        if (status == EXIT_DONE && challenge)
                status = signing_envelope(options, signer, keys, hello.challenge, ret_envelope);
        return status;
}
