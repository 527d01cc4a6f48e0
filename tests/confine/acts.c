/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acts LAYER ACT TARGET: tries one act that a program must not be able to do, with one of the layers that the program
 * confines itself with, or with none. It is linked with that program's own confinement (subject.h). TARGET is a process of
 * root's.
 *
 * Prints ACT and "done", or the error that stopped it. What the filter of system calls traps ends this process by SIGSYS or with
 * the status of its handler, and prints nothing more.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/confine/subject.h"

static pid_t target;

/* Each act returns 0 or errno. */

static int opens(const char *path, int flags) {
        return open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600) < 0 ? errno : 0;
}

static int read_shadow(void) {
        return opens("/etc/shadow", O_RDONLY);
}

static int write_etc(void) {
        return opens("/etc/acts", O_WRONLY | O_CREAT);
}

static int read_home(void) {
        return opens("/home/alice/acts", O_RDONLY);
}

/* A key that is live, of another user than the one who logs in. */
static int write_key(void) {
        return opens(getenv("ACTS_KEY"), O_WRONLY);
}

static int open_port(void) {
        return opens("/dev/virtio-ports/in.excloud.InstanceConnect", O_RDWR);
}

/* To sshd. */
static int connect_internet(void) {
        struct sockaddr_in to = {
                .sin_family = AF_INET, .sin_port = htons(22), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        return fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0;
}

static int execute(void) {
        (void)execl("/bin/echo", "echo", "execute done", (char *)NULL);
        return errno;
}

static int trace(void) {
        return ptrace(PTRACE_SEIZE, target, NULL, NULL) < 0 ? errno : 0;
}

static int make_process(void) {
        pid_t pid = fork();

        if (pid == 0)
                _exit(0);
        return pid < 0 ? errno : 0;
}

static int mount_something(void) {
        return mount("acts", "/mnt", "tmpfs", 0, NULL) < 0 ? errno : 0;
}

static int make_user_namespace(void) {
        return unshare(CLONE_NEWUSER) < 0 ? errno : 0;
}

/* One that processes ignore by default. */
static int signal_other(void) {
        return kill(target, SIGURG) < 0 ? errno : 0;
}

static const struct {
        const char *name;
        int (*act)(void);
} acts[] = {
        {"shadow", read_shadow},  {"etc", write_etc},         {"home", read_home},
        {"key", write_key},       {"port", open_port},        {"inet", connect_internet},
        {"execute", execute},     {"fork", make_process},     {"trace", trace},
        {"signal", signal_other}, {"mount", mount_something}, {"namespace", make_user_namespace},
};

static const char *const layers[] = {"none", "landlock", "seccomp", "rlimit"};

static int find(const char *layer) {
        for (int i = 0; i < (int)(sizeof(layers) / sizeof(layers[0])); i++)
                if (strcmp(layer, layers[i]) == 0)
                        return i;
        (void)fprintf(stderr, "acts: %s: no such layer\n", layer);
        exit(2);
}

/* write(2) alone: what stdio calls may be refused. */
static void print(const char *name, int error) {
        char line[128];
        int n = snprintf(line, sizeof(line), "%s %s\n", name, error == 0 ? "done" : strerrorname_np(error));

        (void)!write(STDOUT_FILENO, line, (size_t)n);
}

int main(int argc, char *argv[]) {
        int layer;

        if (argc != 4)
                return 2;
        layer = find(argv[1]);
        target = (pid_t)strtol(argv[3], NULL, 10);
        if (layer != 0 && !subject_confine((enum subject_layer)layer)) {
                (void)fprintf(stderr, "acts: %s: cannot be confined\n", argv[1]);
                return 3;
        }
        for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
                if (strcmp(argv[2], acts[i].name) == 0) {
                        print(argv[2], acts[i].act());
                        return 0;
                }
        return 2;
}
