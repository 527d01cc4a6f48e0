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

#define DEFAULT_DIR "/etc/ssh" /* of CONFIG_HOST_KEY_PATTERN */

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

static void add_key(struct host_keys *keys, const char *path) {
        char name[STORE_FINGERPRINT_NAME_MAX], fingerprint[STORE_FINGERPRINT_NAME_MAX + 7], text[SSH_KEY_TEXT_MAX];
        const char *type;
        struct ssh_key key;

        conf_files_add(&keys->files, path);
        if (json_array_size(keys->list) >= HOST_KEYS_MAX || !read_key(path, &key) ||
            key_check_fingerprint(&key, name) < 0)
                return;
        store_fingerprint_text(name, fingerprint);
        ssh_key_to_text(&key, text);
        type = ssh_key_type_name(key.type);
        (void)json_array_append_new(keys->list, json_pack("{ss ss ss}", "type", type, "key", text + strlen(type) + 1,
                                                          "fingerprint", fingerprint));
}

static void add_default_keys(struct host_keys *keys) {
        glob_t found;
        int r;

        conf_files_add(&keys->files, DEFAULT_DIR);
        r = glob(CONFIG_HOST_KEY_PATTERN, 0, NULL, &found);
        if (r != 0) {
                if (r != GLOB_NOMATCH)
                        keys->files.unsettled = true; /* it may pass */
                return;
        }
        for (size_t i = 0; i < found.gl_pathc; i++)
                add_key(keys, found.gl_pathv[i]);
        globfree(&found);
}

json_t *host_keys_get(struct host_keys *keys, const struct config *config) {
        if (keys->list && !conf_files_changed(&keys->files))
                return json_incref(keys->list);
        host_keys_clear(keys);
        keys->list = json_array();
        if (!keys->list)
                return NULL;
        for (size_t i = 0; i < config->host_key_files.n; i++)
                add_key(keys, config->host_key_files.item[i]);
        if (config->host_key_files.n == 0)
                add_default_keys(keys);
        return json_incref(keys->list);
}

void host_keys_clear(struct host_keys *keys) {
        json_decref(keys->list);
        conf_files_clear(&keys->files);
        keys->list = NULL;
}
