/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The id of this instance, which the `aud` of a signed push has to name (push.md, "The guest's own id"). It is never
 * learnt from the channel. Sources, in this order:
 *
 * 1. InstanceId in the configuration
 * 2. the file instance-id in the configuration directory
 * 3. the systemd credential exc.instance_id
 * 4. the DMI chassis asset tag, then the DMI product serial, only if they begin with INSTANCE_ID_PREFIX: vendors write
 *    the same text into many machines
 * 5. what the metadata service said, if metadata.conf allows that
 */
#ifndef EXC_INSTANCE_ID_H
#define EXC_INSTANCE_ID_H

#include <stdbool.h>

#include "agent/config.h"
#include "conf/conf_files.h"

#define INSTANCE_ID_PREFIX "exc:compute:instance/"
#define INSTANCE_ID_FILE "instance-id"            /* in the configuration directory */
#define INSTANCE_ID_LEARNT "metadata-instance-id" /* in the store's directory state */

enum {
        INSTANCE_ID_MAX = CONFIG_INSTANCE_ID_MAX + 1, /* with the NUL */
        INSTANCE_ID_WHY_MAX = 2 * INSTANCE_ID_MAX + 256,
};

/* Starts from all zeros. */
struct instance_id {
        char id[INSTANCE_ID_MAX]; /* without the prefix; "": there is none */
        const char *source;       /* for people */
        const char *fault;        /* why the source that decides has no valid id, or NULL */

        /* A later source that has another id: the disk may be a copy. */
        char other[INSTANCE_ID_MAX];
        const char *other_source; /* NULL: none */

        char configured[INSTANCE_ID_MAX]; /* InstanceId when this was read */
        struct conf_files files;          /* that it was read from */
};

/*
 * Reads the id where the configuration or one of the files changed since the last call. The first source that is present decides: if it is
 * invalid (not root's, unreadable, malformed), there is no id, and no later source is used.
 */
void instance_id_refresh(struct instance_id *id, const struct config *config, const char *config_dir,
                         const char *runtime_dir);

/* Keeps what the metadata service said, until the next boot. Negative errno. */
int instance_id_learn(int state_fd, const char *id);

/*
 * The id in `text`, which may begin with INSTANCE_ID_PREFIX: 1 to CONFIG_INSTANCE_ID_MAX printable ASCII characters without
 * blanks. False for anything else, and `ret` is untouched.
 */
bool instance_id_parse(const char *text, char ret[static INSTANCE_ID_MAX]);

/* Whether two sources disagree: which counts, which other there is, and what to do. */
bool instance_id_disputed(const struct instance_id *id, char ret_why[static INSTANCE_ID_WHY_MAX]);

void instance_id_clear(struct instance_id *id);

#endif
