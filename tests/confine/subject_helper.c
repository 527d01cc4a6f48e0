/* SPDX-License-Identifier: Apache-2.0 */
#include "authkeys-helper/confine.h"
#include "common/store.h"
#include "tests/confine/subject.h"

/* The limit on processes is there in any case; it does not hold for root, who tries the other layers. */
bool subject_confine(enum subject_layer layer) {
        static const int layers[] = {
                [LAYER_LANDLOCK] = CONFINE_FILES, [LAYER_SECCOMP] = CONFINE_CALLS, [LAYER_RLIMIT] = 0};

        return confine(STORE_RUNTIME_DIR, (unsigned)layers[layer]) == layers[layer];
}
