/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/password_age.h"

#include <limits.h>
#include <string.h>

enum { HASH_LEAST = 13 }; /* bytes of the shortest, that of DES (crypt(5)) */

/* check_shadow_expiry() in modules/pam_unix/passverify.c of Linux-PAM. -1 is a field that is empty. */
enum password_age password_age_of(const struct spwd *shadow, long today, bool since_1_7) {
        long age, limit = shadow->sp_max;

        if (shadow->sp_expire >= 0 && today >= shadow->sp_expire)
                return PASSWORD_AGE_ACCOUNT_EXPIRED;
        if (shadow->sp_lstchg == 0)
                return PASSWORD_AGE_CHANGE;
        if (limit < 0 || today < shadow->sp_lstchg || (shadow->sp_lstchg < 0 && since_1_7))
                return PASSWORD_AGE_FINE;
        age = today - shadow->sp_lstchg;
        if (!since_1_7)
                age--; /* that one compares with ">" */
        if (shadow->sp_inact >= 0 && age >= (limit < LONG_MAX - shadow->sp_inact ? limit + shadow->sp_inact : LONG_MAX))
                return PASSWORD_AGE_INACTIVE;
        return age >= limit ? PASSWORD_AGE_CHANGE : PASSWORD_AGE_FINE;
}

bool password_is_locked(const char *hash) {
        return hash[0] == '!' || hash[0] == '*' || (hash[0] && strlen(hash) < HASH_LEAST);
}
