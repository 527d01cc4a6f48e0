/* SPDX-License-Identifier: Apache-2.0 */
/* Whose rights a process has. */
#ifndef EXC_IDENTITY_H
#define EXC_IDENTITY_H

#define HELPER_USER "exc-authorized-keys"

/*
 * Becomes the user `name` for good: groups, group and user, real, effective and saved, and USER, LOGNAME and HOME as sshd
 * sets them for a command (subprocess() in OpenSSH's misc.c). Being that user already is enough where the caller is not root.
 * -ENOENT: no such user. -EPERM: the caller is somebody else and not root.
 */
int identity_become(const char *name);

#endif
