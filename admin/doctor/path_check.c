/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/path_check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static enum path_fault look_at(struct path_check *check, struct stat *ret) {
        if (stat(check->at, ret) < 0) {
                check->error = errno;
                return PATH_MISSING;
        }
        check->owner = ret->st_uid;
        check->mode = ret->st_mode & 07777;
        if (ret->st_uid != 0)
                return PATH_FOREIGN;
        return ret->st_mode & 022 ? PATH_WRITABLE : PATH_SAFE;
}

/* "/a/b" to "/a", "/a" to "/"; false for "/". */
static bool go_up(char path[static PATH_MAX]) {
        char *slash = strrchr(path, '/');

        if (path[1] == '\0')
                return false;
        slash[slash == path ? 1 : 0] = '\0';
        return true;
}

void path_check(const char *path, struct path_check *ret) {
        char program[PATH_MAX];
        mode_t program_mode;
        struct stat st;

        *ret = (struct path_check){.fault = PATH_SAFE};
        (void)strncpy(ret->at, path, sizeof(ret->at) - 1);
        if (path[0] != '/') {
                ret->fault = PATH_RELATIVE;
                return;
        }
        if (!realpath(path, program)) {
                ret->fault = PATH_MISSING;
                ret->error = errno;
                return;
        }
        memcpy(ret->at, program, sizeof(program));
        ret->fault = look_at(ret, &st);
        program_mode = ret->mode;
        if (ret->fault != PATH_MISSING && !S_ISREG(st.st_mode))
                ret->fault = PATH_NOT_REGULAR;
        while (ret->fault == PATH_SAFE && go_up(ret->at))
                ret->fault = look_at(ret, &st);
        if (ret->fault != PATH_SAFE)
                return;
        memcpy(ret->at, program, sizeof(program));
        ret->mode = program_mode;
}
