/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/instance_id.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DMI_DIR "/sys/class/dmi/id"
#define MALFORMED "expected one line of 1..256 printable ASCII characters without blanks"

enum { LINE_SIZE = INSTANCE_ID_MAX + 32 }; /* the prefix, the id, a newline, and one byte that is too many */

/*
 * One line of a file, without its newline. -ENOENT: there is none; -EPERM: it is not a file that only root can write.
 */
static int read_line(const char *path, bool owned_by_root, char ret[static LINE_SIZE]) {
        struct stat st;
        ssize_t n;
        int fd, r = 0;

        fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                r = -errno;
        else if (!S_ISREG(st.st_mode) || (owned_by_root && (st.st_uid != 0 || (st.st_mode & 022) != 0)))
                r = -EPERM;
        n = r < 0 ? 0 : read(fd, ret, LINE_SIZE - 1);
        (void)close(fd);
        if (r < 0 || n < 0)
                return r < 0 ? r : -EIO;
        if (n > 0 && ret[n - 1] == '\n')
                n--;
        ret[n] = '\0';
        return strlen(ret) == (size_t)n ? 0 : -EINVAL;
}

static bool has_prefix(const char *text) {
        return strncmp(text, INSTANCE_ID_PREFIX, strlen(INSTANCE_ID_PREFIX)) == 0;
}

bool instance_id_parse(const char *text, char ret[static INSTANCE_ID_MAX]) {
        if (has_prefix(text))
                text += strlen(INSTANCE_ID_PREFIX);
        if (text[0] == '\0' || strlen(text) >= INSTANCE_ID_MAX)
                return false;
        for (const char *c = text; *c; c++)
                if (*c <= ' ' || *c > '~')
                        return false;
        memcpy(ret, text, strlen(text) + 1);
        return true;
}

/* Whether this source is present, and so decides. */
static bool from_file(const char *path, bool owned_by_root, const char *source, struct instance_id *id) {
        char text[LINE_SIZE];
        int r;

        conf_files_add(&id->files, path);
        r = read_line(path, owned_by_root, text);
        if (r == -ENOENT || r == -ENOTDIR)
                return false;
        id->source = source;
        if (r == -EPERM)
                id->fault = "expected a regular file that only root can write";
        else if (r == -EINVAL || (r >= 0 && !instance_id_parse(text, id->id)))
                id->fault = MALFORMED;
        else if (r < 0) {
                id->fault = "cannot be read";
                id->files.unsettled = true; /* it may pass */
        }
        return true;
}

static bool from_credential(struct instance_id *id) {
        const char *dir = getenv("CREDENTIALS_DIRECTORY");
        char path[PATH_MAX];

        if (!dir || snprintf(path, sizeof(path), "%s/exc.instance_id", dir) >= (int)sizeof(path))
                return false;
        /* systemd makes these files for the service alone; their owner depends on its version. */
        return from_file(path, false, "the credential exc.instance_id", id);
}

static bool from_dmi(const char *name, const char *source, struct instance_id *id) {
        char path[64], text[LINE_SIZE];
        int r;

        (void)snprintf(path, sizeof(path), DMI_DIR "/%s", name);
        conf_files_add(&id->files, path);
        r = read_line(path, false, text);
        if (r < 0 && r != -ENOENT && r != -EACCES)
                id->files.unsettled = true;
        if (r < 0 || !has_prefix(text))
                return false;
        id->source = source;
        if (!instance_id_parse(text, id->id))
                id->fault = MALFORMED;
        return true;
}

static void read_files(const char *config_dir, struct instance_id *id) {
        char path[PATH_MAX];

        (void)snprintf(path, sizeof(path), "%s/" INSTANCE_ID_FILE, config_dir);
        if (!from_file(path, true, "the file " INSTANCE_ID_FILE, id) && !from_credential(id) &&
            !from_dmi("chassis_asset_tag", "the DMI chassis asset tag", id))
                (void)from_dmi("product_serial", "the DMI product serial", id);
}

void instance_id_refresh(struct instance_id *id, const struct config *config, const char *config_dir) {
        bool configured = config->instance_id[0] != '\0';

        if (!configured && !conf_files_changed(&id->files))
                return;
        instance_id_clear(id);
        if (!configured) {
                read_files(config_dir, id);
                return;
        }
        id->source = "InstanceId in the configuration";
        if (!instance_id_parse(config->instance_id, id->id))
                id->fault = "expected an id after " INSTANCE_ID_PREFIX;
}

void instance_id_clear(struct instance_id *id) {
        conf_files_clear(&id->files);
        *id = (struct instance_id){.source = "no source"};
}
