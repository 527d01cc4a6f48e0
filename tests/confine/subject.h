/* SPDX-License-Identifier: Apache-2.0 */
/* What acts.c asks of the program whose confinement it is linked with: subject_NAME.c. */
#ifndef EXC_CONFINE_SUBJECT_H
#define EXC_CONFINE_SUBJECT_H

#include <stdbool.h>

enum subject_layer { LAYER_LANDLOCK = 1, LAYER_SECCOMP, LAYER_RLIMIT };

/*
 * Confines this process by that layer alone, as the program does with the paths that it has by default; privileges stay.
 * False: the layer is not in effect, or the program has none of that kind.
 */
bool subject_confine(enum subject_layer layer);

#endif
