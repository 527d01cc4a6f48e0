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

#include "conf/metadata_conf.h"

#define DMI_DIR "/sys/class/dmi/id"
#define NO_SOURCE "no source"
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

/* What one source says. */
struct found {
        char id[INSTANCE_ID_MAX];
        const char *source; /* NULL: it is not present */
        const char *fault;
};

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

static struct found from_config(const struct config *config) {
        struct found found = {.source = NULL};

        if (config->instance_id[0] == '\0')
                return found;
        found.source = "InstanceId in the configuration";
        if (!instance_id_parse(config->instance_id, found.id))
                found.fault = "expected an id after " INSTANCE_ID_PREFIX;
        return found;
}

static struct found from_file(const char *path, bool owned_by_root, const char *source, struct conf_files *files) {
        struct found found = {.source = NULL};
        char text[LINE_SIZE];
        int r;

        conf_files_add(files, path);
        r = read_line(path, owned_by_root, text);
        if (r == -ENOENT || r == -ENOTDIR)
                return found;
        found.source = source;
        if (r == -EPERM)
                found.fault = "expected a regular file that only root can write";
        else if (r == -EINVAL || (r >= 0 && !instance_id_parse(text, found.id)))
                found.fault = MALFORMED;
        else if (r < 0) {
                found.fault = "cannot be read";
                files->unsettled = true; /* it may pass */
        }
        return found;
}

static struct found from_credential(struct conf_files *files) {
        const char *dir = getenv("CREDENTIALS_DIRECTORY");
        char path[PATH_MAX];

        if (!dir || snprintf(path, sizeof(path), "%s/exc.instance_id", dir) >= (int)sizeof(path))
                return (struct found){.source = NULL};
        /* systemd makes these files for the service alone; their owner depends on its version. */
        return from_file(path, false, "the credential exc.instance_id", files);
}

static struct found from_dmi(const char *name, const char *source, struct conf_files *files) {
        struct found found = {.source = NULL};
        char path[64], text[LINE_SIZE];
        int r;

        (void)snprintf(path, sizeof(path), DMI_DIR "/%s", name);
        conf_files_add(files, path);
        r = read_line(path, false, text);
        if (r < 0 && r != -ENOENT && r != -EACCES)
                files->unsettled = true;
        if (r < 0 || !has_prefix(text))
                return found;
        found.source = source;
        if (!instance_id_parse(text, found.id))
                found.fault = MALFORMED;
        return found;
}

static struct found from_metadata(const char *config_dir, const char *runtime_dir, struct conf_files *files) {
        struct found found = {.source = NULL};
        struct metadata_conf conf;
        char path[PATH_MAX];

        (void)metadata_conf_load(config_dir, NULL, NULL, files, &conf);
        metadata_conf_clear(&conf);
        if (!conf.instance_id ||
            snprintf(path, sizeof(path), "%s/state/" INSTANCE_ID_LEARNT, runtime_dir) >= (int)sizeof(path))
                return found;
        /* The agent wrote it, in a directory that is its own. */
        found = from_file(path, false, "the metadata service", files);
        if (found.source && !found.fault && !metadata_instance_id_valid(conf.format, found.id)) {
                found.fault = "it is not in the form of the service that " METADATA_CONF_FILE " names";
                found.id[0] = '\0';
        }
        return found;
}

/* The first that is present decides; the first valid one after it that differs is kept to be reported. */
static void take(const struct found *found, struct instance_id *id) {
        if (!found->source)
                return;
        if (!id->source) {
                memcpy(id->id, found->id, sizeof(id->id));
                id->source = found->source;
                id->fault = found->fault;
        } else if (!id->fault && !found->fault && !id->other_source && strcmp(found->id, id->id) != 0) {
                memcpy(id->other, found->id, sizeof(id->other));
                id->other_source = found->source;
        }
}

void instance_id_refresh(struct instance_id *id, const struct config *config, const char *config_dir,
                         const char *runtime_dir) {
        struct found found[6];
        char path[PATH_MAX];

        if (strcmp(id->configured, config->instance_id) == 0 && !conf_files_changed(&id->files))
                return;
        instance_id_clear(id);
        id->source = NULL;
        (void)snprintf(id->configured, sizeof(id->configured), "%s", config->instance_id);
        (void)snprintf(path, sizeof(path), "%s/" INSTANCE_ID_FILE, config_dir);
        found[0] = from_config(config);
        found[1] = from_file(path, true, "the file " INSTANCE_ID_FILE, &id->files);
        found[2] = from_credential(&id->files);
        found[3] = from_dmi("chassis_asset_tag", "the DMI chassis asset tag", &id->files);
        found[4] = from_dmi("product_serial", "the DMI product serial", &id->files);
        found[5] = from_metadata(config_dir, runtime_dir, &id->files);
        for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++)
                take(&found[i], id);
        if (!id->source)
                id->source = NO_SOURCE;
}

static int write_new(int state_fd, const char *name, const char *id) {
        size_t n = strlen(id);
        ssize_t written;
        int fd;

        fd = openat(state_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        written = write(fd, id, n);
        if (close(fd) < 0 || written != (ssize_t)n)
                return -EIO;
        return 0;
}

int instance_id_learn(int state_fd, const char *id) {
        static const char name[] = INSTANCE_ID_LEARNT ".new";
        int r = write_new(state_fd, name, id);

        if (r >= 0 && renameat(state_fd, name, state_fd, INSTANCE_ID_LEARNT) < 0)
                r = -errno;
        if (r < 0)
                (void)unlinkat(state_fd, name, 0);
        return r;
}

bool instance_id_disputed(const struct instance_id *id, char ret_why[static INSTANCE_ID_WHY_MAX]) {
        if (!id->other_source)
                return false;
        (void)snprintf(
                ret_why, INSTANCE_ID_WHY_MAX,
                "%s says %s, which counts, and %s says %s; if this disk is a copy of another machine's, correct the "
                "id",
                id->source, id->id, id->other_source, id->other);
        return true;
}

void instance_id_clear(struct instance_id *id) {
        conf_files_clear(&id->files);
        *id = (struct instance_id){.source = NO_SOURCE};
}
