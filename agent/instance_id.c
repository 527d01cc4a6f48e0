/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/instance_id.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DMI_DIR "/sys/class/dmi/id"
#define NOT_AN_ID "it must hold one line of 1 to 256 printable ASCII characters without blanks"

/* One line of a file, without its newline. -ENOENT: there is none. Others: it does not count. */
static int read_line(const char *path, bool roots_own, char ret[static INSTANCE_ID_MAX + 32]) {
        struct stat st;
        ssize_t n;
        int fd, r = 0;

        fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                r = -errno;
        else if (!S_ISREG(st.st_mode) || (roots_own && (st.st_uid != 0 || (st.st_mode & 022) != 0)))
                r = -EPERM;
        n = r < 0 ? 0 : read(fd, ret, INSTANCE_ID_MAX + 31);
        (void)close(fd);
        if (r < 0 || n < 0)
                return r < 0 ? r : -EIO;
        if (n > 0 && ret[n - 1] == '\n')
                n--;
        ret[n] = '\0';
        return strlen(ret) == (size_t)n ? 0 : -EINVAL;
}

/* Takes an id with or without the prefix. */
static bool take(const char *text, struct instance_id *ret) {
        const char *id = strncmp(text, INSTANCE_ID_PREFIX, strlen(INSTANCE_ID_PREFIX)) == 0
                                 ? text + strlen(INSTANCE_ID_PREFIX)
                                 : text;

        if (id[0] == '\0' || strlen(id) >= sizeof(ret->id))
                return false;
        for (const char *c = id; *c; c++)
                if (*c <= ' ' || *c > '~')
                        return false;
        memcpy(ret->id, id, strlen(id) + 1);
        return true;
}

/* True when this source decides, for good or ill. */
static bool from_file(const char *path, bool roots_own, const char *source, struct instance_id *ret) {
        char text[INSTANCE_ID_MAX + 32];
        int r = read_line(path, roots_own, text);

        if (r == -ENOENT || r == -ENOTDIR)
                return false;
        ret->source = source;
        if (r == -EPERM)
                ret->fault = "it must be a file of root's that nobody else can write";
        else if (r < 0)
                ret->fault = "it cannot be read";
        else if (!take(text, ret))
                ret->fault = NOT_AN_ID;
        return true;
}

static bool from_credential(struct instance_id *ret) {
        const char *folder = getenv("CREDENTIALS_DIRECTORY");
        char path[PATH_MAX];

        if (!folder || snprintf(path, sizeof(path), "%s/exc.instance_id", folder) >= (int)sizeof(path))
                return false;
        /* systemd makes these files for the service alone, and not always as root's. */
        return from_file(path, false, "the credential exc.instance_id", ret);
}

static bool from_dmi(const char *name, const char *source, struct instance_id *ret) {
        char path[64], text[INSTANCE_ID_MAX + 32];

        (void)snprintf(path, sizeof(path), DMI_DIR "/%s", name);
        if (read_line(path, false, text) < 0 || strncmp(text, INSTANCE_ID_PREFIX, strlen(INSTANCE_ID_PREFIX)) != 0)
                return false;
        ret->source = source;
        if (!take(text, ret))
                ret->fault = NOT_AN_ID;
        return true;
}

void instance_id_read(const struct config *config, const char *config_dir, struct instance_id *ret) {
        char path[PATH_MAX];

        *ret = (struct instance_id){.source = "nowhere"};
        if (config->instance_id[0] != '\0') {
                ret->source = "InstanceId in the configuration";
                if (!take(config->instance_id, ret))
                        ret->fault = "it holds no id";
                return;
        }
        (void)snprintf(path, sizeof(path), "%s/instance-id", config_dir);
        if (!from_file(path, true, "the file instance-id", ret) && !from_credential(ret) &&
            !from_dmi("chassis_asset_tag", "the DMI chassis asset tag", ret))
                (void)from_dmi("product_serial", "the DMI product serial", ret);
}
