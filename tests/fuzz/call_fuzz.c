/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes on a connection, as the agent reads them: frames, calls, and the push of PushLocal. What is accepted is within its
 * limits and survives a round trip through the format of the store.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/push_checks.h"
#include "wire/call.h"
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n);

static void on_push(json_t *parameters) {
        struct refused why = {.why = REFUSAL_NONE};
        static struct push push;
        enum refusal r;

        r = request_parse_push_local(parameters, &push, &why);
        require(why.why == r);
        if (r != REFUSAL_NONE) {
                require(r == REFUSAL_INVALID_PAYLOAD && strlen(why.message) > 0);
                return;
        }
        require(strlen(push.id) == STORE_ID_MAX - 1);
        require_push(&push);
}

static void on_message(const char *message, size_t length) {
        static const char push_local[] = "PushLocal";
        struct call call;
        size_t n;

        if (!call_parse(message, length, &call)) {
                require(!call.message && !call.method && !call.parameters);
                return;
        }
        require(call.method[0] != '\0' && json_is_object(call.parameters) && !(call.more && call.oneway));
        n = strlen(call.method);
        if (n >= strlen(push_local) && strcmp(call.method + n - strlen(push_local), push_local) == 0)
                on_push(call.parameters);
        call_clear(&call);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n) {
        struct frames *frames = calloc(1, sizeof(*frames));
        size_t size, length;
        char *message;

        require(frames);
        while (n > 0) {
                enum frame frame;
                char *space = frames_space(frames, &size);

                size = size < n ? size : n;
                require(size > 0);
                memcpy(space, input, size);
                frames_received(frames, size);
                input += size;
                n -= size;
                while ((frame = frames_next(frames, &message, &length)) != FRAME_NONE)
                        if (frame == FRAME_MESSAGE)
                                on_message(message, length);
        }
        free(frames);
        return 0;
}
