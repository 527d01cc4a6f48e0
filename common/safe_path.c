/* SPDX-License-Identifier: Apache-2.0 */
#include "common/safe_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static enum safe_path_fault fault_of(const struct stat *st) {
        if (st->st_uid != 0)
                return SAFE_PATH_FOREIGN;
        if ((st->st_mode & 002) != 0 || ((st->st_mode & 020) != 0 && st->st_gid != 0))
                return SAFE_PATH_WRITABLE;
        return (st->st_mode & 020) != 0 ? SAFE_PATH_ROOT_GROUP : SAFE_PATH_OK;
}

/* Describes `component` where its fault is worse than the one so far, or where it is the first, the program. */
static void check(struct safe_path *path, const char *component) {
        bool is_program = path->at[0] == '\0';
        enum safe_path_fault fault;
        struct stat st = {0};

        if (stat(component, &st) < 0) {
                fault = SAFE_PATH_MISSING;
                path->error = errno;
        } else if (is_program && !S_ISREG(st.st_mode))
                fault = SAFE_PATH_NOT_REGULAR;
        else
                fault = fault_of(&st);
        if (is_program)
                path->program_mode = st.st_mode & 07777;
        if (!is_program && fault <= path->fault)
                return;
        path->fault = fault;
        path->owner = st.st_uid;
        path->mode = st.st_mode & 07777;
        memcpy(path->at, component, strlen(component) + 1);
}

/* "/a/b" to "/a", "/a" to "/"; false for "/". */
static bool go_up(char path[static PATH_MAX]) {
        char *slash = strrchr(path, '/');

        if (path[1] == '\0')
                return false;
        slash[slash == path ? 1 : 0] = '\0';
        return true;
}

bool safe_path(const char *path, struct safe_path *ret) {
        char component[PATH_MAX];

        *ret = (struct safe_path){.fault = SAFE_PATH_OK};
        if (path[0] != '/' || !realpath(path, component)) {
                ret->fault = path[0] != '/' ? SAFE_PATH_RELATIVE : SAFE_PATH_MISSING;
                ret->error = errno;
                (void)snprintf(ret->at, sizeof(ret->at), "%s", path);
                return false;
        }
        memcpy(ret->program, component, strlen(component) + 1);
        do
                check(ret, component);
        while (ret->fault <= SAFE_PATH_ROOT_GROUP && go_up(component));
        return ret->fault <= SAFE_PATH_ROOT_GROUP;
}

const char *safe_path_text(const struct safe_path *path) {
        static const char *const texts[] = {
                [SAFE_PATH_OK] = "only root can change it",
                [SAFE_PATH_ROOT_GROUP] = "only root and the group root can change it",
                [SAFE_PATH_RELATIVE] = "not an absolute path; write the whole path",
                [SAFE_PATH_NOT_REGULAR] = "not a regular file; name a program",
                [SAFE_PATH_FOREIGN] = "not owned by root; run chown root on it",
                [SAFE_PATH_WRITABLE] = "others than root can write to it; run chmod go-w on it",
        };

        return path->fault == SAFE_PATH_MISSING ? strerror(path->error) : texts[path->fault];
}
