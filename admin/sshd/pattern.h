/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns and lists of them in sshd_config(5), as OpenSSH's match.c and addrmatch.c compare them. */
#ifndef EXC_PATTERN_H
#define EXC_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

enum {
        PATTERN_MAX = 256,              /* bytes of one in a list, with the NUL; a longer one matches nothing */
        PATTERN_LAST_AT_VERSION = 1000, /* that splits USER@HOST at the last @; 9.2 does at the first */
};

/* A pattern with * and ?. */
bool pattern_matches(const char *pattern, const char *text);

/*
 * The next pattern of a list with "," between them, and `*list` behind it. `ret_negated`: whether there was a "!", which is
 * not part of it. False at the end.
 */
bool pattern_next(const char **list, char ret[static PATTERN_MAX], bool *ret_negated);

/* 1 where one of a list matches, 0, or -1 where one with "!" does. */
int pattern_list(const char *list, const char *text);

/* An address against an address, a network as 192.0.2.0/24, or a pattern of its text. */
bool pattern_address(const char *pattern, const char *address);

/* The same for a list, with the results of pattern_list(). */
int pattern_address_list(const char *list, const char *address);

/*
 * The part of an AllowUsers or DenyUsers entry that is about the client's host, or NULL. `version`: sshd's, as
 * sshd_version() gives it, or negative where it is not known.
 */
const char *pattern_user_host(const char *entry, int version);

/* Whether such an entry is about an account, when it comes from this host (sshd's UseDNS) and address. */
bool pattern_user(const char *entry, int version, const char *name, const char *host, const char *address);

#endif
