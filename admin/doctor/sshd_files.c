/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/sshd_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/sshd/sshd.h"
#include "conf/conf_files.h"

static FILE *open_regular(const char *path) {
        int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        struct stat st;
        FILE *file;

        if (fd < 0)
                return NULL;
        file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? fdopen(fd, "r") : NULL;
        if (!file)
                (void)close(fd);
        return file;
}

/* What stands behind the keyword, or NULL: "Keyword value", "Keyword=value", "Keyword "value"". */
static char *value_in(char *line, const char *keyword) {
        size_t n = strlen(keyword);

        line += strspn(line, " \t");
        if (strncasecmp(line, keyword, n) != 0 || !strchr(" \t=", line[n]) || line[n] == '\0')
                return NULL;
        line += n;
        line += strspn(line, " \t=");
        line[strcspn(line, "\r\n")] = '\0';
        return line;
}

static bool find_in(const char *path, const char *keyword, bool (*accept)(const char *value),
                    struct sshd_file_line *ret) {
        FILE *file = open_regular(path);
        unsigned number = 0;
        bool there = false;
        char *line = NULL;
        size_t size = 0;

        while (file && !there && getline(&line, &size, file) >= 0) {
                char *value = value_in(line, keyword);

                number++;
                if (!value || !accept(value))
                        continue;
                there = true;
                ret->number = number;
                (void)snprintf(ret->path, sizeof(ret->path), "%s", path);
                (void)snprintf(ret->value, sizeof(ret->value), "%s", value);
        }
        free(line);
        if (file)
                (void)fclose(file);
        return there;
}

bool sshd_files_find(const char *keyword, bool (*accept)(const char *value), struct sshd_file_line *ret) {
        struct strv names = {.n = 0};
        bool there = false;
        int fd;

        fd = open(SSHD_DROP_IN_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0) {
                (void)conf_files_list(fd, ".conf", &names);
                (void)close(fd);
        }
        for (size_t i = 0; i < names.n && !there; i++) {
                char path[PATH_MAX];

                (void)snprintf(path, sizeof(path), "%s/%s", SSHD_DROP_IN_FOLDER, names.item[i]);
                there = find_in(path, keyword, accept, ret);
        }
        strv_clear(&names);
        return there || find_in(SSHD_CONFIG, keyword, accept, ret);
}
