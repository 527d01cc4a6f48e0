/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/host_keys.h"

#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/key_check.h"
#include "common/store.h"

enum { LINE_MAX_BYTES = 4096 };

/* All that can match CONFIG_HOST_KEY_PATTERN. */
#define PATTERN_FOLDER "/etc/ssh"
#define PATTERN_SUFFIX "_key.pub"

/* "type base64" of a line "type base64 comment". */
static size_t without_comment(const char *line) {
        const char *blank = strchr(line, ' ');

        return blank ? (size_t)(blank - line) + 1 + strcspn(blank + 1, " \t\r\n") : strlen(line);
}

static bool read_key(const char *path, struct ssh_key *ret) {
        char line[LINE_MAX_BYTES + 1];
        struct stat st;
        ssize_t n;
        int fd;

        fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0)
                return false;
        n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read(fd, line, LINE_MAX_BYTES) : -1;
        (void)close(fd);
        if (n <= 0)
                return false;
        line[n] = '\0';
        return ssh_key_from_text(line, without_comment(line), ret) == SSH_KEY_OK;
}

static void add_key(json_t *list, const char *path) {
        char name[STORE_FINGERPRINT_NAME_MAX], fingerprint[STORE_FINGERPRINT_NAME_MAX + 7], text[SSH_KEY_TEXT_MAX];
        const char *type;
        struct ssh_key key;

        if (json_array_size(list) >= HOST_KEYS_MAX || !read_key(path, &key) || key_fingerprint(&key, name) < 0)
                return;
        store_fingerprint_text(name, fingerprint);
        ssh_key_to_text(&key, text);
        type = ssh_key_type_name(key.type);
        (void)json_array_append_new(list, json_pack("{ss ss ss}", "type", type, "key", text + strlen(type) + 1,
                                                    "fingerprint", fingerprint));
}

json_t *host_keys(const struct config *config) {
        json_t *list = json_array();
        glob_t found;

        if (!list)
                return NULL;
        for (size_t i = 0; i < config->host_key_files.n; i++)
                add_key(list, config->host_key_files.item[i]);
        if (config->host_key_files.n == 0 && glob(CONFIG_HOST_KEY_PATTERN, 0, NULL, &found) == 0) {
                for (size_t i = 0; i < found.gl_pathc; i++)
                        add_key(list, found.gl_pathv[i]);
                globfree(&found);
        }
        return list;
}

static void add_stamps(struct stamp *stamp, const struct config *config) {
        int fd;

        for (size_t i = 0; i < config->host_key_files.n; i++)
                stamp_add(stamp, AT_FDCWD, config->host_key_files.item[i]);
        if (config->host_key_files.n > 0)
                return;
        fd = open(PATTERN_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) {
                stamp->settled = false;
                return;
        }
        stamp_add_listed(stamp, fd, PATTERN_SUFFIX);
        (void)close(fd);
}

json_t *host_keys_kept(struct host_keys *kept, const struct config *config) {
        struct stamp now;

        stamp_begin(&now);
        add_stamps(&now, config);
        if (!kept->list || !stamp_holds(&kept->stamp, &now)) {
                host_keys_clear(kept);
                kept->list = host_keys(config);
                kept->stamp = now;
        }
        return json_incref(kept->list);
}

void host_keys_clear(struct host_keys *kept) {
        json_decref(kept->list);
        *kept = (struct host_keys){.list = NULL};
}
