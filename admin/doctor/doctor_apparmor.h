/* SPDX-License-Identifier: Apache-2.0 */
/* What AppArmor says about the programs of this machine's side: parts of doctor_apparmor() that need no AppArmor. */
#ifndef EXC_DOCTOR_APPARMOR_H
#define EXC_DOCTOR_APPARMOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum {
        APPARMOR_PROFILES = 4, /* that this side has */

        /* These with the NUL. */
        APPARMOR_MODE_MAX = 16,
        APPARMOR_WORD_MAX = 32,
        APPARMOR_OBJECT_MAX = 256,
};

/* One denial. Where the record has no such member, or one that does not fit, the text is "". */
struct apparmor_denial {
        int profile;                       /* an index for apparmor_profile_name() */
        char operation[APPARMOR_WORD_MAX]; /* "open", "create", "capable" */
        char mask[APPARMOR_WORD_MAX];      /* what was denied of it: "r", "wc" */
        char object[APPARMOR_OBJECT_MAX];  /* a path, as it is, a capability, or a family and type of sockets */
};

/* The profile is named as the program, and its file in /etc/apparmor.d as the profile. */
const char *apparmor_profile_name(int profile);

/*
 * Parses one record of the kernel, `n` bytes: a line of its log ("audit: type=1400 …"), or what journald has of the audit
 * socket ("AVC …"), as `by_audit` says. False: it is not one of a denial by a profile of these programs.
 */
bool apparmor_denial_parse(const char *text, size_t n, bool by_audit, struct apparmor_denial *ret);

/* The mode of a profile, as "enforce", in the kernel's list of them. "": it is not there. */
void apparmor_mode(FILE *profiles, const char *name, char ret[static APPARMOR_MODE_MAX]);

#endif
