/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/nss_query.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
        /* bytes */
        BUFFER_MIN = 4 * 1024,
        USER_BUFFER_MAX = 1024 * 1024,
        GROUP_BUFFER_MAX = 8 * 1024 * 1024, /* a group comes with the names of all its members */

        GROUPS_MIN = 64,
        GROUPS_MAX = 65536, /* NGROUPS_MAX of Linux */
};

void nss_query_fail(struct nss_answer *answer, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(answer->message, sizeof(answer->message), format, arguments);
        va_end(arguments);
        answer->outcome = NSS_FAILURE;
}

static void fail_errno(struct nss_answer *answer, const char *what, const char *name, int error) {
        char text[128];

        /* A long name is cut, so that the cause still fits. */
        nss_query_fail(answer, "name service: lookup of %s %.64s failed: %s", what, name,
                       strerror_r(error, text, sizeof(text)));
}

/* Replaces `*buffer` by one of twice its size, at first BUFFER_MIN; its content is lost. An errno, positive. */
static int grow(char **buffer, size_t *size, size_t limit) {
        size_t wanted = *size > 0 ? *size * 2 : BUFFER_MIN;

        if (wanted > limit)
                return ERANGE;
        free(*buffer);
        *size = 0;
        *buffer = malloc(wanted);
        if (!*buffer)
                return ENOMEM;
        *size = wanted;
        return 0;
}

static bool query_user(const char *user, struct nss_answer *answer) {
        struct passwd entry, *found = NULL;
        char *buffer = NULL;
        size_t size = 0;
        bool valid = false;
        int r;

        do {
                r = grow(&buffer, &size, USER_BUFFER_MAX);
                if (r != 0)
                        break;
                r = getpwnam_r(user, &entry, buffer, size, &found);
        } while (r == ERANGE);

        /*
         * getpwnam(3) lists the errors that modules return for an unknown user. Some of them are failures of other
         * modules: only these two mean that there is no such user. Nobody gets a key in either case.
         */
        if (!found && (r == 0 || r == ENOENT || r == ESRCH))
                answer->outcome = NSS_NO_SUCH_USER;
        else if (r != 0)
                fail_errno(answer, "user", user, r);
        else if (entry.pw_name[0] == '\0' || strlen(entry.pw_name) > NSS_USER_MAX)
                nss_query_fail(answer, "name service: user %.64s: it returned an empty or too long name", user);
        else if (entry.pw_uid == (uid_t)-1 || entry.pw_gid == (gid_t)-1)
                nss_query_fail(answer, "name service: user %.64s: it returned an invalid user or group id", user);
        else {
                (void)snprintf(answer->user, sizeof(answer->user), "%s", entry.pw_name);
                answer->uid = entry.pw_uid;
                answer->gid = entry.pw_gid;
                valid = true;
        }
        free(buffer);
        return valid;
}

/* All groups of the user in `answer`; the caller frees them. An errno, positive. */
static int query_gids(const struct nss_answer *answer, gid_t **ret, int *ret_n) {
        gid_t *gids = NULL, *larger;
        int room = GROUPS_MIN, n;

        for (;;) {
                larger = reallocarray(gids, (size_t)room, sizeof(*gids));
                if (!larger)
                        break;
                gids = larger;
                n = room;
                if (getgrouplist(answer->user, answer->gid, gids, &n) >= 0) {
                        *ret = gids;
                        *ret_n = n;
                        return 0;
                }
                /* getgrouplist(3) sets the number that is needed. If it does not, this still has to end. */
                room = n > room ? n : room * 2;
                if (room > GROUPS_MAX) {
                        free(gids);
                        return E2BIG;
                }
        }
        free(gids);
        return ENOMEM;
}

static bool query_groups(struct nss_group *groups, size_t n_groups, struct nss_answer *answer) {
        gid_t *gids = NULL;
        char *buffer = NULL;
        size_t size = 0;
        int n_gids = 0, r;

        if (n_groups == 0)
                return true;

        r = query_gids(answer, &gids, &n_gids);
        if (r != 0) {
                fail_errno(answer, "groups of user", answer->user, r);
                return false;
        }
        for (size_t i = 0; i < n_groups; i++) {
                struct group entry, *found = NULL;

                for (;;) {
                        r = size > 0 ? getgrnam_r(groups[i].name, &entry, buffer, size, &found) : ERANGE;
                        if (r != ERANGE)
                                break;
                        r = grow(&buffer, &size, GROUP_BUFFER_MAX);
                        if (r != 0)
                                break;
                }
                /*
                 * An unknown group has no members, so DenyGroups would let the user pass: an error must not look like
                 * one.
                 */
                if (r != 0) {
                        fail_errno(answer, "group", groups[i].name, r);
                        break;
                }
                groups[i].exists = found;
                for (int k = 0; found && k < n_gids; k++)
                        if (gids[k] == entry.gr_gid)
                                groups[i].member = true;
        }
        free(buffer);
        free(gids);
        return r == 0;
}

void nss_query(const char *user, struct nss_group *groups, size_t n_groups, struct nss_answer *answer) {
        if (query_user(user, answer) && query_groups(groups, n_groups, answer))
                answer->outcome = NSS_FOUND;
}
