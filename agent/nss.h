/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lookups of users in the name service (nsswitch.conf(5)) that never block the event loop.
 *
 * A module of the name service may hang, on an LDAP server that does not answer or on a lock, so a lookup runs in a
 * thread. One idle thread is kept: starting one takes longer than most lookups. A thread cannot be stopped; after a
 * timeout it is left to itself, counts against NSS_LOOKUPS_MAX until it returns, and its result is dropped.
 *
 * getgrouplist(3) does not report a source that could not be reached: the user is then in fewer groups, here as in
 * sshd. So DenyGroups is only as good as the name service; AllowGroups fails safe.
 */
#ifndef EXC_NSS_H
#define EXC_NSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#define NSS_LIMIT_US UINT64_C(5000000)

enum {
        NSS_LOOKUPS_MAX = 16, /* threads at work, hung ones included */
        NSS_USER_MAX = 256,   /* bytes of a user name */
};

enum nss_outcome {
        NSS_FOUND,
        NSS_NO_SUCH_USER,
        NSS_FAILURE, /* `message` has the cause */
        NSS_TIMEOUT, /* likewise */
};

struct nss_group {
        char *name;
        bool exists;
        bool member; /* by the primary or a supplementary group; false for a group that does not exist */
};

struct nss_answer {
        enum nss_outcome outcome;
        /* NSS_FOUND: pw_name, which may differ from the name that was looked up; else the latter */
        char user[NSS_USER_MAX + 1];
        uid_t uid; /* this and what follows: NSS_FOUND only */
        gid_t gid;
        const struct nss_group *groups; /* those that were asked about, in that order */
        size_t n_groups;
        char message[256];
};

struct nss;
struct nss_lookup;

/*
 * Called once for each lookup, from the event loop, never from within nss_lookup(). `answer` is valid until it returns.
 */
typedef void (*nss_done)(void *context, const struct nss_answer *answer);

/*
 * `priority`: of the calls of `done`, in the event loop. `limit_us`: of a lookup; NSS_LIMIT_US but in tests. Negative
 * errno. The caller frees it with nss_free().
 */
int nss_new(sd_event *event, int64_t priority, uint64_t limit_us, struct nss **ret);

/*
 * Looks up `user`, and the membership in each of the groups; names are copied. `ret` can be cancelled until `done` is
 * called, and is invalid then. Too many lookups, or no thread, are reported to `done` as NSS_FAILURE. -EINVAL: the name
 * is empty or too long. After this and other negative errno `done` is not called.
 */
int nss_lookup(struct nss *nss, const char *user, char *const *groups, size_t n_groups, nss_done done, void *context,
               struct nss_lookup **ret);

/* `done` will not be called. */
void nss_cancel(struct nss_lookup *lookup);

/*
 * Cancels all lookups. Threads that hang keep what they use and free it themselves. Not from within `done`. NULL is
 * accepted.
 */
void nss_free(struct nss *nss);

#endif
