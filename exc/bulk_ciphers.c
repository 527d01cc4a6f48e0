/* SPDX-License-Identifier: Apache-2.0 */
#include "exc/bulk_ciphers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

#define SYSTEM_CONFIG "/etc/ssh/ssh_config"

/* Not __builtin_cpu_supports(), which has a constructor ask the processor of everything at each start of the program. */
static bool has_aes(void) {
#if defined(__x86_64__)
        unsigned eax, ebx, ecx, edx;

        return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_AES) != 0 && (ecx & bit_PCLMUL) != 0;
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

/*
 * ssh goes on without the files that it reads by itself, and does not check who owns the system's. One that is included, it must
 * be able to read, and nobody but root and the user may own or write it (readconf.c in OpenSSH 9.2 and 10.0). In a user
 * namespace root's own files may be somebody else's.
 */
static bool can_be_included(const char *path) {
        struct stat st;

        return access(path, R_OK) == 0 && stat(path, &st) == 0 && (st.st_uid == 0 || st.st_uid == getuid()) &&
               (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static bool is_missing(const char *path) {
        return access(path, F_OK) < 0 && errno == ENOENT;
}

/* ssh looks for such files beside the system's own, but below ~/.ssh for those that a file of the user's includes. */
static bool has_relative_include(const char *path) {
        static const char keyword[] = "include";
        FILE *file = fopen(path, "re");
        bool found = !file;
        char *line = NULL;
        size_t size = 0;

        while (file && !found && getline(&line, &size, file) >= 0) {
                const char *at = line + strspn(line, " \t");

                if (strncasecmp(at, keyword, strlen(keyword)) != 0)
                        continue;
                /* Each of its words. */
                for (at += strcspn(at, " \t=\n"); *(at += strspn(at, " \t=\n\"")) != '\0' && !found;
                     at += strcspn(at, " \t\n\""))
                        found = *at != '/' && *at != '~';
        }
        free(line);
        if (file)
                (void)fclose(file);
        return found;
}

bool bulk_ciphers_write(const char *path) {
        char user[PATH_MAX];
        bool written;
        int fd;

        /* An ssh that was built with another directory has no file there. */
        if (!has_aes() || !user_config(user) || !(can_be_included(user) || is_missing(user)) ||
            !can_be_included(SYSTEM_CONFIG) || has_relative_include(SYSTEM_CONFIG))
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
