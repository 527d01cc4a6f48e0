/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: keys that live a minute, as files on a tmpfs.
 *
 *   RUNTIME/                          root, writable by root alone
 *     keys/<user>/<fingerprint>/<id>  one key of one grant          directories 2750, files 0640
 *     claims/<user>/<id>              the slots of that grant       directories 2750, files 0660
 *     state/                          the agent's own               0700
 *
 * 1. keys/ and claims/ belong to the agent's user and the helper's group; directories below inherit the group through
 *    the setgid bit. The agent is not in that group, so chmod(2) of a directory would clear its bit: nothing does that.
 * 2. A file appears whole: it is written without a name (O_TMPFILE) and then linked. It is never written again; store_renew()
 *    puts another in its place.
 * 3. The claim file is linked last and removed first. Without it a grant does not count, so a push of several keys is
 *    there as a whole or not at all, wherever the agent is killed.
 * 4. Below RUNTIME every path is opened from a directory's descriptor, one component at a time, no symlink followed.
 *    What is opened must be what the table says: type, owner, mode, one link, tmpfs or ramfs.
 * 5. <user> is the login name, escaped as a file name; <fingerprint> is sshd's SHA-256 one in base64url; <id> is 64 hex
 *    digits, the push's identity.
 */
#ifndef EXC_STORE_H
#define EXC_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/claim.h"
#include "common/grant.h"

#define STORE_RUNTIME_DIR "/run/exc-instance-connect"

enum {
        STORE_USER_NAME_MAX = 256,       /* with the NUL */
        STORE_FINGERPRINT_NAME_MAX = 44, /* with the NUL */
        STORE_ID_MAX = 65,               /* with the NUL */
};

enum store_side {
        STORE_AGENT,  /* owns keys/, claims/ and state/ */
        STORE_HELPER, /* reads keys/, writes slots */
};

struct store {
        int root_fd; /* RUNTIME */
        int keys_fd;
        int claims_fd;
        int state_fd; /* -EBADF on the helper's side */
        uid_t owner;  /* the agent's user, who owns every file in the store */
};

#define STORE_INIT {.root_fd = -EBADF, .keys_fd = -EBADF, .claims_fd = -EBADF, .state_fd = -EBADF}

/*
 * Opens the store below `runtime_dir` and checks it against the table above. `ret` is untouched on failure.
 * Negative errno; -EPERM when a mode, owner or file system is wrong. `ret_why` then names the path and what is wrong
 * with it.
 */
int store_open(const char *runtime_dir, enum store_side side, struct store *ret, char ret_why[static 256]);
void store_close(struct store *store);

/* The file name for a login name; false for an empty one. */
bool store_user_name(const char *user, char ret[static STORE_USER_NAME_MAX]);

/* "SHA256:…" as sshd writes it, to a file name and back. The first is false for anything else. */
bool store_fingerprint_name(const char *fingerprint, char ret[static STORE_FINGERPRINT_NAME_MAX]);
void store_fingerprint_text(const char *name, char ret[static STORE_FINGERPRINT_NAME_MAX + 7]);

/* The path of one key of one grant, as file names. */
struct store_place {
        char user[STORE_USER_NAME_MAX];
        char fingerprint[STORE_FINGERPRINT_NAME_MAX];
        char id[STORE_ID_MAX];
};

/*
 * Calls `visit` for each key in the store, or for those of one user, or for those of one fingerprint of one user (file
 * names; NULL: all). `visit` may remove the key. A visit that does not return 0 ends the walk, and is its result.
 * Names that this store cannot have made are skipped. Negative errno: a directory could not be read.
 */
typedef int (*store_visit)(void *context, const struct store_place *place);
int store_walk(const struct store *store, const char *user, const char *fingerprint, store_visit visit, void *context);

/*
 * The same, and reads each key from the directory that the walk has open. A key that store_read() would not return is
 * skipped.
 */
typedef int (*store_visit_grant)(void *context, const struct store_place *place, const struct grant *grant);
int store_read_each(const struct store *store, const char *user, const char *fingerprint, store_visit_grant visit,
                    void *context);

/*
 * Reads one key. -ENOENT: gone. -EBADMSG: damaged, or not what the store writes (type, owner, mode, links, size,
 * content, or in another user's directory).
 */
int store_read(const struct store *store, const struct store_place *place, struct grant *ret);

/*
 * Opens the claim file of the grant at `place`, for reading or for reading and writing (O_RDONLY, O_RDWR).
 * -ENOENT: the grant does not count. -EBADMSG: it is not what the store writes.
 */
int store_open_claim(const struct store *store, const struct store_place *place, int flags);

/* One key of a push that is about to be stored. */
struct store_key {
        char fingerprint[STORE_FINGERPRINT_NAME_MAX];
        struct ssh_key key;
};

/*
 * Stores `n` keys as the grant `id`: each becomes a file that holds `common` with that key in it.
 * Either all of them count afterwards, or none. Files that exist under the same id stay as they are, so a repeated call
 * finishes what was interrupted and changes nothing that was finished.
 * -ENOSPC, -EDQUOT: no room.
 */
int store_publish(const struct store *store, const char *id, const struct grant *common, const struct store_key *keys,
                  size_t n);

/*
 * Replaces the file of a key of a grant that is there by one that holds `grant`: a reader gets one or the other, whole.
 * `scratch_id`: an id that no grant has, which is used in between. -ENOENT: the key is gone.
 */
int store_renew(const struct store *store, const struct store_place *place, const char *scratch_id,
                const struct grant *grant);

/* Removes one key, and the directories that it leaves empty. A key that is gone is not an error. */
int store_remove_key(const struct store *store, const struct store_place *place);

/* Ends a whole grant for the next lookup by removing its claim file. Its keys are then left to remove. */
int store_remove_claim(const struct store *store, const struct store_place *place);

/*
 * Removes each claim file that is longer than the store makes any, and so ends its grant: the helper's user can write
 * to these files, and take room from others by that. Returns how many they were; negative errno. Call store_tidy()
 * after it.
 */
int store_remove_grown(const struct store *store);

/*
 * Removes what a kill in the middle can leave: keys without a claim file, claim files without a key, empty directories.
 * Not to be called while a push is being stored. It goes on after a failure; the first error is the result.
 */
int store_tidy(const struct store *store);

#endif
