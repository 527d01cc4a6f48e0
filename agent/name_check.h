/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the names in the lists of agent.conf are those of users and groups. One that is not is no error, since an account may be
 * made later, but often a typo or half of a name with a blank: a deny list that denies nobody.
 */
#ifndef EXC_NAME_CHECK_H
#define EXC_NAME_CHECK_H

#include <stdbool.h>

#include "agent/config.h"
#include "agent/nss.h"

enum {
        NAME_CHECK_USERS_MAX = 256, /* users looked up after a load of the configuration */
        NAME_CHECK_WHY_MAX = 640,
};

/*
 * What is wrong with the user `name` in the list `key`, by the name service's answer: "KEY: NAME: cause; next step". False
 * where nothing is wrong, or the name service could not say.
 */
bool name_check_user(const char *key, const char *name, const struct nss_answer *answer,
                     char ret_why[static NAME_CHECK_WHY_MAX]);

/* The same for a group. */
bool name_check_group(const char *key, const struct nss_group *group, char ret_why[static NAME_CHECK_WHY_MAX]);

struct name_check;

/*
 * Looks up all names in `config`, one after the other, in a thread, and writes a warning for each that no user or group has. What is
 * needed of `config` is copied. Negative errno. NULL where no list has a name. The caller frees it with name_check_free().
 */
int name_check_start(sd_event *event, const struct config *config, struct name_check **ret);

/* Ends what is not looked up yet. NULL is accepted. */
void name_check_free(struct name_check *check);

#endif
