/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for confine.c in a helper that is measured without its layers. */
#include "authkeys-helper/confine.h"

int confine(const char *runtime_dir, unsigned layers) {
        (void)runtime_dir;
        (void)layers;
        return 0;
}
