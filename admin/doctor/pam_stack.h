/* SPDX-License-Identifier: Apache-2.0 */
/* The account stage of a service of PAM's, as its files describe it (pam.conf(5)). Nothing is asked. */
#ifndef EXC_PAM_STACK_H
#define EXC_PAM_STACK_H

#include <stdbool.h>
#include <stddef.h>

/* What a module, and pam_acct_mgmt(3), return: some of security/_pam_types.h. */
enum {
        PAM_SUCCESS = 0,
        PAM_AUTH_ERR = 7,
        PAM_NEW_AUTHTOK_REQD = 12,
        PAM_ACCT_EXPIRED = 13,
        PAM_IGNORE = 25,
        PAM_AUTHTOK_EXPIRED = 27,
        PAM_RETURN_VALUES = 32,
};

/* What PAM does then. A number above 0: it skips as many modules. */
enum {
        PAM_ACTION_IGNORE = 0,
        PAM_ACTION_OK = -1,
        PAM_ACTION_DONE = -2,
        PAM_ACTION_BAD = -3,
        PAM_ACTION_DIE = -4,
        PAM_ACTION_RESET = -5,
};

enum {
        PAM_ENTRIES_MAX = 64,
        PAM_DEPTH_MAX = 16, /* of files in files, as libpam has it */
        PAM_NAME_MAX = 128, /* these with the NUL */
        PAM_ARGUMENTS_MAX = 512,
        PAM_PATH_MAX = 512,
        PAM_WHY_MAX = PAM_PATH_MAX + 128,
};

struct pam_entry {
        char module
                [PAM_NAME_MAX]; /* as it is written: "pam_unix.so"; "" for a line that PAM cannot use: it refuses there */
        char arguments[PAM_ARGUMENTS_MAX];
        char file[PAM_PATH_MAX];
        unsigned line;
        int action[PAM_RETURN_VALUES];
};

struct pam_stack {
        size_t n;
        struct pam_entry entry[PAM_ENTRIES_MAX];
};

/* Where libpam looks for a service, ended by NULL. */
extern const char *const pam_directories[];

/*
 * Reads the account lines of a service with all that it includes, in PAM's order, from the first of the directories that has
 * it; those of the service "other" where it has none. Negative errno, and `ret_why` is a sentence: more than fits, or a file
 * that cannot be read as PAM reads it.
 */
int pam_stack_read(const char *const directories[], const char *service, struct pam_stack *ret,
                   char ret_why[static PAM_WHY_MAX]);

/*
 * The first module that is not known to change nothing when it is asked for an account, or NULL. pam_faillock and pam_tally2
 * reset their count there. What a module writes to the log does not count.
 */
const struct pam_entry *pam_stack_with_effects(const struct pam_stack *stack);

/* The first module whose answer may depend on the client's address, of those without effects; or NULL. */
const struct pam_entry *pam_stack_about_client(const struct pam_stack *stack);

/* Whether it is one of those that refuse nobody, or for reasons that are judged elsewhere. */
bool pam_entry_is_plain(const struct pam_entry *entry);

/*
 * Whether PAM surely does not answer PAM_SUCCESS when pam_unix returns `code`, whatever the other modules return. False where
 * that cannot be seen.
 */
bool pam_stack_heeds(const struct pam_stack *stack, int code);

#endif
