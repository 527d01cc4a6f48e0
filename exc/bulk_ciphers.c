/* SPDX-License-Identifier: Apache-2.0 */
#include "exc/bulk_ciphers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#define SYSTEM_CONFIG "/etc/ssh/ssh_config"

static bool has_aes(void) {
#if defined(__x86_64__)
        return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#elif defined(__aarch64__)
        const unsigned long both = HWCAP_AES | HWCAP_PMULL;

        return (getauxval(AT_HWCAP) & both) == both;
#else
        return false;
#endif
}

/* ssh takes ~ from the name service, whatever HOME says. The path must have nothing that an Include line interprets. */
static bool user_config(char ret[static PATH_MAX]) {
        const struct passwd *user = getpwuid(getuid());
        int n = user ? snprintf(ret, PATH_MAX, "%s/.ssh/config", user->pw_dir) : -1;

        return n > 0 && n < PATH_MAX && ret[0] == '/' && !strpbrk(ret, "\"\\*?[]{}%$\n\t");
}

/* ssh does without a file of its own that it cannot read, but not without one that is included. */
static bool can_be_left_out(const char *path) {
        return access(path, R_OK) == 0 || errno == ENOENT;
}

bool bulk_ciphers_write(const char *path) {
        char user[PATH_MAX];
        bool written;
        int fd;

        /* An ssh that was built with another directory has no file there. */
        if (!has_aes() || !user_config(user) || !can_be_left_out(user) || access(SYSTEM_CONFIG, R_OK) < 0)
                return false;
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return false;
        written = dprintf(fd,
                          "Include \"%s\"\nInclude " SYSTEM_CONFIG
                          "\nCiphers ^aes128-gcm@openssh.com,aes256-gcm@openssh.com\n",
                          user) > 0;
        written = close(fd) == 0 && written;
        if (!written)
                (void)unlink(path);
        return written;
}
