/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the command of a signer (libpush/signer.h) on the bytes to sign. */
#ifndef EXC_SIGN_COMMAND_H
#define EXC_SIGN_COMMAND_H

#include <stddef.h>
#include <stdint.h>

#include "libpush/signer.h"

/* 0 when it exited with 0 and wrote no more than fits. Else negative errno and `ret_why`, as signer_sign(). */
int sign_command_run(const char *command, int timeout_ms, const uint8_t *input, size_t length,
                     uint8_t ret_output[static SIGNER_OUTPUT_MAX], size_t *ret_length,
                     char ret_why[static SIGNER_WHY_MAX]);

#endif
