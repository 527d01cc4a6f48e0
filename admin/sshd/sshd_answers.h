/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that an sshd says of its configuration (sshd -T), for everybody and for some connections: with our files and
 * without them. Nothing but AuthorizedKeysCommand and AuthorizedKeysCommandUser may differ. OpenSSH before 9.4 for one ignores an
 * AuthorizedPrincipalsCommand that comes after an AuthorizedKeysCommand, which locks out who logs in by certificate.
 */
#ifndef EXC_SSHD_ANSWERS_H
#define EXC_SSHD_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>

#include "admin/sshd/sshd.h"
#include "admin/sshd/sshd_config.h"
#include "admin/sshd/sshd_specs.h"

/* [0] is that for everybody; then one for each connection. NULL: not asked, or no answer. */
struct sshd_answers {
        char *text[1 + SPECS_MAX];
};

/*
 * Asks an sshd that is started with these -f and -o, with its configuration as it is on disk. It asks what has an answer in
 * `like`, and each must be answered; NULL: what sshd has an answer to. Negative errno, and then `ret_why` says what sshd or
 * the system said.
 */
int sshd_answers_ask(char *const arguments[], const struct sshd_specs *specs, const struct sshd_answers *like,
                     struct sshd_answers *ret, char ret_why[static SSHD_WHY_MAX]);

/* The same, with `own` in place of our files. */
int sshd_answers_ask_with(char *const arguments[], const struct own_files *own, const struct sshd_specs *specs,
                          const struct sshd_answers *like, struct sshd_answers *ret, char ret_why[static SSHD_WHY_MAX]);

/*
 * As if nothing on this machine named exc-authorized-keys: of `own`, only what an administrator added to a file counts. Where
 * sshd does not take that configuration, there is no answer at all; for a connection of which sshd says nothing, none. After
 * some seconds only the first few are asked about.
 */
int sshd_answers_ask_without(char *const arguments[], const struct own_files *own, const struct sshd_specs *specs,
                             struct sshd_answers *ret, char ret_why[static SSHD_WHY_MAX]);

void sshd_answers_clear(struct sshd_answers *answers);

/* A setting that differs, and its values; of a repeated one all, with ", " between them. */
struct sshd_change {
        const char *about; /* points into the connections; NULL: everybody */
        char *name;        /* as sshd prints it */
        char *without, *with;
};

/* The first difference of two texts of sshd -T, beside our two settings: 1 where there is one, 0, or -ENOMEM. */
int sshd_change_find(const char *without, const char *with, struct sshd_change *ret);

/* The first difference of what was answered in both. */
int sshd_answers_compare(const struct sshd_answers *without, const struct sshd_answers *with,
                         const struct sshd_specs *specs, struct sshd_change *ret);

void sshd_change_clear(struct sshd_change *change);

/* One sentence. `sshd`: how people know it. */
void sshd_change_say(const char *sshd, const struct sshd_change *change, char ret[static SSHD_WHY_MAX]);

/* The value of a setting in a text of sshd -T, to be freed; of a repeated one all. NULL without memory. */
char *sshd_answer_value(const char *text, const char *name);

#endif
