/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that an sshd is asked about, with -C: root and login users, those first that its Allow- and Deny- lines name,
 * and for each Match line one that meets all that it asks for. Users and groups are those in /etc: a name service may be
 * slow, or not there yet.
 */
#ifndef EXC_SSHD_SPECS_H
#define EXC_SSHD_SPECS_H

#include "admin/sshd/sshd_config.h"
#include "conf/strv.h"

enum {
        SPECS_MAX = 64, /* each is asked about up to three times: at most 195 runs for one sshd */
        SPECS_USERS_MAX = 33,
};

struct sshd_specs {
        struct strv about;        /* what each is, as people know it: "user alice", "Match Address 192.0.2.0/24" */
        struct strv text;         /* -C */
        size_t n_users;           /* of them */
        struct strv not_compared; /* Match lines for which there is none, and why */
};

/*
 * For an sshd with these -f and -o, with `own` in place of our files. `user`: one who is asked about first, or NULL. None
 * where there is no Match line: then sshd says the same about everybody. Negative errno, and then `ret_why` is set.
 */
int sshd_specs_find(char *const arguments[], const struct own_files *own, const char *user, struct sshd_specs *ret,
                    char ret_why[static SSHD_WHY_MAX]);
void sshd_specs_clear(struct sshd_specs *specs);

#endif
