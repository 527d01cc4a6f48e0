/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/admin/become.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/output.h"
#include "wire/refusal.h"

static bool find(const char *user, uid_t *ret_uid, gid_t *ret_gid) {
        const struct passwd *found = getpwnam(user);

        if (!found)
                complain("%s: there is no such user; install the package exc-compute-api, or name its user with --user",
                         user);
        else if (found->pw_uid == 0)
                complain("%s: is root; name the user of the API with --user", user);
        else {
                *ret_uid = found->pw_uid;
                *ret_gid = found->pw_gid;
                return true;
        }
        return false;
}

static bool keep_one_capability(unsigned capability) {
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2] = {0};

        data[CAP_TO_INDEX(capability)].effective = CAP_TO_MASK(capability);
        data[CAP_TO_INDEX(capability)].permitted = CAP_TO_MASK(capability);
        return syscall(SYS_capset, &header, data) == 0;
}

int become(const char *user, bool read_all) {
        uid_t uid;
        gid_t gid;

        if (geteuid() != 0)
                return EXIT_DONE;
        if (!find(user, &uid, &gid))
                return EXIT_OWN_FAILURE;
        if ((read_all && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) || initgroups(user, gid) < 0 ||
            setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0 ||
            (read_all && !keep_one_capability(CAP_DAC_READ_SEARCH))) {
                complain("%s: cannot become that user: %s; run it as root with all capabilities", user,
                         strerror(errno));
                return EXIT_OWN_FAILURE;
        }
        return EXIT_DONE;
}

int become_make_directory(const char *user, const char *path) {
        bool failed;
        uid_t uid;
        gid_t gid;
        int fd;

        if (!find(user, &uid, &gid))
                return EXIT_OWN_FAILURE;
        if (mkdir(path, 0700) < 0) {
                if (errno == EEXIST)
                        return EXIT_DONE;
                complain("%s: cannot make the directory: %s", path, strerror(errno));
                return EXIT_OWN_FAILURE;
        }
        fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        failed = fd < 0 || fchown(fd, uid, gid) < 0 || fchmod(fd, 0750) < 0;
        if (failed)
                complain("%s: cannot set its owner and mode: %s", path, strerror(errno));
        if (fd >= 0)
                (void)close(fd);
        return failed ? EXIT_OWN_FAILURE : EXIT_DONE;
}
