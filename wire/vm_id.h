/* SPDX-License-Identifier: Apache-2.0 */
/* The name of a VM in the control plane: [a-z0-9][a-z0-9._-]{0,63}, but not "connect", which is a path of the API. */
#ifndef EXC_VM_ID_H
#define EXC_VM_ID_H

#include <stdbool.h>

enum { VM_ID_MAX = 64 + 1 }; /* bytes, with the NUL */

bool vm_id_valid(const char *text);

#endif
