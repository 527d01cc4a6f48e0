/* SPDX-License-Identifier: Apache-2.0 */
/* What pam_unix makes of the dates in /etc/shadow (shadow(5)). No PAM is asked. */
#ifndef EXC_PASSWORD_AGE_H
#define EXC_PASSWORD_AGE_H

#include <shadow.h>
#include <stdbool.h>

enum password_age {
        PASSWORD_AGE_FINE,
        PASSWORD_AGE_CHANGE,          /* it must be changed first (PAM_NEW_AUTHTOK_REQD) */
        PASSWORD_AGE_INACTIVE,        /* too old even for that (PAM_AUTHTOK_EXPIRED) */
        PASSWORD_AGE_ACCOUNT_EXPIRED, /* the account, whatever its password (PAM_ACCT_EXPIRED) */
};

/*
 * On the day `today` (since 1970, UTC). A password that must be changed after n days must be so on the n-th with Linux-PAM
 * 1.7, and a day later before; one whose last change is not known has no age with 1.7, and is as old as 1970 before.
 * `since_1_7` says which of the two.
 */
enum password_age password_age_of(const struct spwd *shadow, long today, bool since_1_7);

/* Whether no password fits what is stored: nobody can change it by typing the present one, as passwd(1) asks for. */
bool password_is_locked(const char *hash);

#endif
