/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/wipe.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "wire/json.h"

void wipe_free(void *memory) {
        if (memory)
                OPENSSL_cleanse(memory, malloc_usable_size(memory));
        free(memory);
}

void wipe_json(void) {
        json_free_with(wipe_free);
}
