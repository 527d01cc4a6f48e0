/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes, as a key's text and as its blob: what is taken must be exactly what came, and come back from its text. */
#include "common/ssh_key.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void require(bool holds) {
        if (!holds)
                abort();
}

static void require_round_trip(const struct ssh_key *key) {
        char text[SSH_KEY_TEXT_MAX];
        struct ssh_key again;

        ssh_key_to_text(key, text);
        require(ssh_key_from_text(text, strlen(text), &again) == SSH_KEY_OK);
        require(again.type == key->type && again.blob_length == key->blob_length);
        require(memcmp(again.blob, key->blob, key->blob_length) == 0);
        require(key->point_offset + key->point_length <= key->blob_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
        char text[SSH_KEY_TEXT_MAX];
        enum ssh_key_fault fault;
        struct ssh_key key;

        fault = ssh_key_from_text((const char *)input, size, &key);
        require(strlen(ssh_key_fault_text(fault)) > 0);
        if (fault == SSH_KEY_OK) {
                ssh_key_to_text(&key, text);
                require(strlen(text) == size && memcmp(text, input, size) == 0);
                require_round_trip(&key);
        }

        fault = ssh_key_from_blob(input, size, &key);
        require(strlen(ssh_key_fault_text(fault)) > 0);
        if (fault == SSH_KEY_OK) {
                require(key.blob_length == size && memcmp(key.blob, input, size) == 0);
                require_round_trip(&key);
        }
        return 0;
}
