/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which texts are names of users and of what else there is: from callers, hosts and guests alike. Ids of instances are in
 * wire/vm_id.h.
 */
#ifndef EXC_NAME_H
#define EXC_NAME_H

#include <stdbool.h>

/* A user on an instance: 1 to 256 bytes of UTF-8, no control character, and nothing that ssh takes for an option. */
bool name_user_valid(const char *user);

/* [A-Za-z0-9][A-Za-z0-9._-]{0,63}: key pairs, policies and hosts. */
bool name_plain_valid(const char *name);

/* The same with "@": accounts may be mail addresses. */
bool name_account_valid(const char *name);

#endif
