/* SPDX-License-Identifier: Apache-2.0 */
/* The files that make sshd ask exc-authorized-keys(8): `enable` writes one of them, and `Status` looks for them. */
#ifndef EXC_SSHD_DROP_IN_H
#define EXC_SSHD_DROP_IN_H

#define SSHD_DROP_IN_DIR "/etc/ssh/sshd_config.d"

/* Absolute paths, the preferred one first, for the initializer of an array. */
#define SSHD_DROP_IN_PATHS                                                                                             \
        SSHD_DROP_IN_DIR "/10-exc-instance-connect.conf", SSHD_DROP_IN_DIR "/00-exc-instance-connect.conf",            \
                SSHD_DROP_IN_DIR "/0-exc-instance-connect.conf"

#endif
