/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine with an sshd, for tests: in a mount namespace of its own, empty directories where sshd's configuration and the
 * units are, and a program in sshd's place. That one reads the configuration no better than it must for a test: of a few
 * keywords, the first line in no Match block counts.
 */
#ifndef EXC_SSHD_WORLD_H
#define EXC_SSHD_WORLD_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/sshd/drop_in.h"
#include "tests/unit/scratch.h"

#define WORLD_UNITS "/run/systemd/transient"

/* What it does is in /run/test: version, says (for -T), and so on. It starts no other program, for it is run often. */
static const char world_sshd[] =
        "#!/bin/sh\n"
        "config=/etc/ssh/sshd_config mode= user=\n"
        "echo \"$*\" >>/run/test/asked\n"
        "while [ $# -gt 0 ]; do\n"
        "    case $1 in\n"
        "    -f) config=$2; shift ;;\n"
        "    -o) if [ -z \"$first_option\" ]; then first_option=$2; else second_option=$2; fi; shift ;;\n"
        "    -h) key=$2; shift ;;\n"
        "    -C) user=$2; shift ;;\n"
        "    -t | -T | -V) mode=$1 ;;\n"
        "    esac\n"
        "    shift\n"
        "done\n"
        "if [ $mode = -V ]; then cat /run/test/version >&2; exit 1; fi\n"
        "if [ -e /run/test/no-key ] && [ -z \"$key\" ]; then echo 'sshd: no hostkeys available -- exiting.' >&2; exit "
        "1; fi\n"
        "if [ -e /run/test/privsep ] && [ ! -d /run/sshd ]; then\n"
        "    echo 'Missing privilege separation directory: /run/sshd' >&2; exit 255\n"
        "fi\n"
        "if [ -e /run/test/slow ]; then sleep 1000; fi\n"
        "if [ -e /run/test/silent ] || [ \"$user\" = refused ]; then exit 1; fi\n"
        "if [ -e /run/test/needs-port ] && [ $mode$user = -T ]; then\n"
        "    echo \"'Match LocalPort' in configuration but 'lport' not in connection test specification.\" >&2; exit "
        "255\n"
        "fi\n"
        "if [ -e /run/test/before-9.4 ]; then before=1; fi\n"
        "take() {\n"
        "    case $1 in\n"
        "    Bad*) bad=1 ;;\n"
        "    Match*) match=1 ;;\n"
        "    'Include '*) [ -n \"$match\" ] || for file in ${1#* }; do take_file \"$file\"; done ;;\n"
        "    esac\n"
        "    [ -z \"$match\" ] || return 0\n"
        "    case $1 in\n"
        "    'AuthorizedKeysCommand '*) : \"${keys:=${1#* }}\" ;;\n"
        "    'AuthorizedKeysCommandUser '*) : \"${keys_user:=${1#* }}\" ;;\n"
        "    'AuthorizedPrincipalsCommand '*)\n"
        /* OpenSSH before 9.4 asks whether the other command is set. */
        "        if [ -z \"$before\" ]; then : \"${principals:=${1#* }}\"; "
        "elif [ -z \"$keys\" ]; then principals=${1#* }; fi ;;\n"
        "    'AuthorizedPrincipalsCommandUser '*) : \"${principals_user:=${1#* }}\" ;;\n"
        "    esac\n"
        "}\n"
        "take_file() {\n"
        "    [ -e \"$1\" ] || return 0\n"
        "    while IFS= read -r line || [ -n \"$line\" ]; do take \"$line\"; done <\"$1\"\n"
        "    match=\n"
        "}\n"
        "for option in \"$first_option\" \"$second_option\"; do take \"$option\"; done\n"
        "take_file \"$config\"\n"
        "if [ -n \"$bad\" ]; then printf '%s line 1: Bad configuration option\\r\\n%s: terminating\\r\\n' $config "
        "$config >&2; "
        "exit 255; fi\n"
        "if [ $mode = -t ]; then exit 0; fi\n"
        "if [ -n \"$user\" ] && [ -e /run/test/for-user ]; then cat /run/test/for-user; exit 0; fi\n"
        "if [ -e /run/test/says ]; then cat /run/test/says; exit 0; fi\n"
        "echo port 22\n"
        "if [ -e /run/test/says-too ]; then cat /run/test/says-too; fi\n"
        "if [ -n \"$key\" ]; then echo \"hostkey $key\"; fi\n"
        "if [ -e /run/test/camel ]; then command=AuthorizedKeysCommand user=User; "
        "else command=authorizedkeyscommand user=user; fi\n"
        "printf '%s %s\\n' $command \"${keys:-none}\" $command$user \"${keys_user:-none}\"\n"
        "[ -z \"$principals_user\" ] || printf '%s %s\\n' authorizedprincipalscommand \"${principals:-none}\" \\\n"
        "    authorizedprincipalscommanduser \"$principals_user\"\n";

/* It writes down what it is asked for. */
static const char world_systemctl[] =
        "#!/bin/sh\n"
        "echo \"$*\" >>/run/test/systemctl\n"
        "if [ -e /run/test/reload-fails ]; then cat /run/test/reload-fails >&2; exit 1; fi\n";

static inline void world_directory(const char *path) {
        char part[512];

        for (const char *slash = path; slash; slash = strchr(slash + 1, '/')) {
                const char *next = strchr(slash + 1, '/');

                (void)snprintf(part, sizeof(part), "%.*s", next ? (int)(next - path) : (int)strlen(path), path);
                (void)mkdir(part, 0755);
                if (!next)
                        break;
        }
}

/* A file with its directories, executable where it is a script. */
static inline void world_write(const char *path, const char *text) {
        char directory[512];
        int fd;

        (void)snprintf(directory, sizeof(directory), "%.*s", (int)(strrchr(path, '/') - path), path);
        world_directory(directory);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
            fchmod(fd, strncmp(text, "#!", 2) == 0 ? 0755 : 0644) < 0 || close(fd) < 0)
                abort();
}

static inline bool world_has(const char *path) {
        struct stat st;

        return lstat(path, &st) == 0;
}

/* What is in it; to be freed. */
static inline char *world_read(const char *path) {
        char *text = calloc(1, 65536);
        FILE *file = fopen(path, "re");

        if (!text || !file || (fread(text, 1, 65535, file) == 0 && ferror(file)))
                abort();
        (void)fclose(file);
        return text;
}

static inline void world_remove(const char *path) {
        if (unlink(path) < 0)
                abort();
}

static inline void world_mount(const char *path) {
        if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
                abort();
}

/* Directories that a machine without systemd does not have are not there to be covered. */
static inline void world_cover(const char *path) {
        if (world_has(path))
                world_mount(path);
}

/* What is written below it does not reach the machine. */
static inline void world_keep(const char *path) {
        char options[256], above[64], work[64];

        (void)snprintf(above, sizeof(above), "/run/above%s", path);
        (void)snprintf(work, sizeof(work), "/run/work%s", path);
        world_directory(above);
        world_directory(work);
        (void)snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s", path, above, work);
        if (mount("kept", path, "overlay", 0, options) < 0)
                abort();
}

static inline void world_make(void) {
        (void)umask(022);
        scratch_mount_namespace();
        world_mount("/run");
        world_keep("/etc");
        world_keep("/usr");
        /* The packages that the tests need bring it. */
        world_mount("/etc/ssh");
        world_cover("/etc/systemd");
        world_cover("/usr/lib/systemd/system");
        world_cover("/lib/systemd/system");
        world_cover("/usr/local/lib");
        world_cover("/usr/libexec");
        world_write(HELPER_PROGRAM, "#!/bin/sh\n");
        world_write(CHAIN_PROGRAM, "#!/bin/sh\n");
        world_mount("/usr/sbin");
        world_write("/usr/sbin/sshd", world_sshd);
        world_write("/usr/sbin/systemctl", world_systemctl);
        if (mount("/usr/sbin/systemctl", "/bin/systemctl", NULL, MS_BIND, NULL) < 0)
                abort();
        /* Users of our own, in place of the machine's, within this mount namespace. */
        world_write("/usr/sbin/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n" HELPER_USER
                                        ":x:990:990::/:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n");
        if (mount("/usr/sbin/passwd", "/etc/passwd", NULL, MS_BIND, NULL) < 0)
                abort();
        world_directory("/run/test");
        world_write("/run/test/version", "OpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL 3.0.17\n");
}

/* As at the beginning, with a configuration that includes the directory and these lines. */
static inline void world_reset(const char *lines) {
        char text[8192];

        if (umount2("/etc/ssh", MNT_DETACH) < 0 || umount2("/run", MNT_DETACH) < 0)
                abort();
        world_mount("/run");
        world_mount("/etc/ssh");
        world_write("/run/test/version", "OpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL 3.0.17\n");
        world_directory("/etc/ssh/sshd_config.d");
        (void)snprintf(text, sizeof(text), "Include /etc/ssh/sshd_config.d/*.conf\n%s", lines);
        world_write("/etc/ssh/sshd_config", text);
}

#endif
