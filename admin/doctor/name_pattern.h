/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of names in sshd_config(5): AllowUsers, DenyUsers, AllowGroups, DenyGroups (match.c of OpenSSH). */
#ifndef EXC_NAME_PATTERN_H
#define EXC_NAME_PATTERN_H

#include <stdbool.h>

/* A pattern with * and ?. */
bool name_pattern_matches(const char *pattern, const char *name);

enum name_match {
        NAME_NO,
        NAME_YES,
        NAME_FROM_SOMEWHERE, /* USER@HOST: it depends on where the client is */
};

/* An entry of AllowUsers or DenyUsers. */
enum name_match name_pattern_user(const char *entry, const char *name);

#endif
