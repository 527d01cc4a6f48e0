/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the name service who a user is, without ever waiting for it.
 *
 * The name service may hang: a directory server that does not answer, a module that waits for a lock. So each lookup
 * has a thread to itself, and only what it found comes back to the event loop. One thread without a lookup stays for the
 * next, since to start one takes longer than most lookups. A thread cannot be stopped: one that takes too long is left
 * alone, and what it brings later is thrown away. It counts against NSS_LOOKUPS_MAX until then.
 *
 * getgrouplist(3) does not tell when a source of groups could not be reached: the user then is in fewer groups, for us
 * as for sshd. So DenyGroups is only as good as the name service is; AllowGroups fails on the safe side.
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
        NSS_LOOKUPS_MAX = 16, /* threads, working or hung */
        NSS_USER_MAX = 256,   /* bytes of a login name */
};

enum nss_outcome {
        NSS_FOUND,
        NSS_NO_SUCH_USER,
        NSS_FAILURE, /* `message` says why */
        NSS_TIMEOUT, /* likewise */
};

struct nss_group {
        char *name;
        bool member; /* by the user's primary or a supplementary group; false for a group that does not exist */
};

struct nss_answer {
        enum nss_outcome outcome;
        char user[NSS_USER_MAX +
                  1]; /* NSS_FOUND: the name that the name service has (pw_name); else the one asked for */
        uid_t uid;    /* this and what follows: NSS_FOUND only */
        gid_t gid;
        const struct nss_group *groups; /* those that were asked about, in that order */
        size_t n_groups;
        char message[256];
};

struct nss;
struct nss_lookup;

/* Called once for each lookup, from the event loop, never from within nss_lookup. `answer` is gone when it returns. */
typedef void (*nss_done)(void *context, const struct nss_answer *answer);

/*
 * `priority`: that of its answers in the event loop. `limit_us`: how long a lookup may take, NSS_LIMIT_US but for tests. Negative
 * errno.
 */
int nss_new(sd_event *event, int64_t priority, uint64_t limit_us, struct nss **ret);

/*
 * Looks up `user`, and whether he is in each of the `n_groups` groups; all are copied. `ret` may be cancelled until
 * `done` is called, and is gone then. Too many lookups, or no thread to be had, come as NSS_FAILURE.
 * -EINVAL: the name is empty or too long. Other negative errno: `done` will not be called.
 */
int nss_lookup(struct nss *nss, const char *user, char *const *groups, size_t n_groups, nss_done done, void *context,
               struct nss_lookup **ret);

/* Whoever asked has gone: `done` will not be called. */
void nss_cancel(struct nss_lookup *lookup);

/* Cancels all lookups. Threads that hang keep what they need and release it themselves. Not from within `done`. */
void nss_free(struct nss *nss);

#endif
