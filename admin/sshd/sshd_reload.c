/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/sshd_reload.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "admin/program.h"
#include "admin/sshd/sshd_answers.h"
#include "admin/sshd/sshd_config.h"
#include "admin/sshd/systemd.h"
#include "admin/sshd/text_file.h"

enum {
        RELOAD_TIMEOUT_MS = 100 * 1000, /* systemd gives up after 90 s (TimeoutStartSec=) */
        READY_TRIES = 100,
        READY_PAUSE_NS = 20 * 1000 * 1000, /* in all, 2 s: it takes some milliseconds */
};

#define PID_FILE "/run/sshd.pid"

static bool property_is(const char *unit, const char *property, const char *value) {
        char *found;
        bool is;

        if (systemd_get_string(unit, property, &found) < 0)
                return false;
        is = strcmp(found, value) == 0;
        free(found);
        return is;
}

/* A socket unit starts it, and holds what it listens on. */
static bool has_socket(const struct sshd_service *service) {
        struct strv units = {.n = 0};
        bool has = false;

        (void)systemd_get_strings(service->name, "TriggeredBy", &units);
        for (size_t i = 0; i < units.n; i++)
                has = has || (strstr(units.item[i], ".socket") && property_is(units.item[i], "ActiveState", "active"));
        strv_clear(&units);
        /* Else its connections would end with it. */
        return has && property_is(service->name, "KillMode", "process");
}

/* Where the stack of a process begins: another place, as soon as it executes something. 0 where that is not known. */
static unsigned long long stack_of(pid_t pid) {
        char path[64], line[2048] = "", *at;
        unsigned long long stack = 0;
        FILE *file;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        file = fopen(path, "re");
        if (!file)
                return 0;
        at = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
        (void)fclose(file);
        /* Field 28 of proc(5); behind the name comes field 3. */
        for (int field = 2; at && field < 28; field++)
                at = strchr(at + 1, ' ');
        if (at)
                stack = strtoull(at, NULL, 10);
        return stack;
}

static bool expects_signal(pid_t pid) {
        char path[64], line[256];
        bool expects = false;
        FILE *file;

        (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        file = fopen(path, "re");
        while (file && fgets(line, sizeof(line), file))
                if (strncmp(line, "SigCgt:", 7) == 0)
                        expects = (strtoull(line + 7, NULL, 16) & UINT64_C(1) << (SIGHUP - 1)) != 0;
        if (file)
                (void)fclose(file);
        return expects;
}

/* `stack`: what it had before the signal; 0: none was sent. At last it is not waited for any more. */
static void wait_until_ready(pid_t pid, unsigned long long stack) {
        for (int i = 0; i < READY_TRIES && pid > 0; i++) {
                const struct timespec pause = {.tv_nsec = READY_PAUSE_NS};
                unsigned long long now = stack_of(pid);

                if (now == 0 || (now != stack && expects_signal(pid)))
                        return;
                (void)nanosleep(&pause, NULL);
        }
}

int sshd_reload(const struct sshd_service *service, bool *ret_restarted, char ret_why[static SSHD_WHY_MAX]) {
        bool restart = has_socket(service);
        const char *argv[] = {"/bin/systemctl", restart ? "try-restart" : "reload", "--", service->name, NULL};
        struct program_result result = {.output = NULL};
        unsigned long long stack = 0;
        int r;

        if (!restart) {
                wait_until_ready(service->main_pid, 0);
                stack = stack_of(service->main_pid);
        }
        /* It waits for the job. execve(2) takes words that are not const, and does not change them. */
        r = program_run((char *const *)(uintptr_t)argv, NULL, RELOAD_TIMEOUT_MS, &result);
        if (r < 0)
                (void)snprintf(ret_why, SSHD_WHY_MAX, "systemctl reload %s: %s", service->name, strerror(-r));
        else if (!program_succeeded(&result)) {
                /* A unit without ExecReload=. To sshd this signal is the same. */
                if (!restart && strstr(result.complaint, "not applicable") && service->main_pid > 0 &&
                    kill(service->main_pid, SIGHUP) == 0)
                        r = 0;
                else {
                        (void)snprintf(ret_why, SSHD_WHY_MAX, "%.*s", (int)strcspn(result.complaint, "\n"),
                                       result.complaint);
                        r = -EIO;
                }
        }
        program_result_clear(&result);
        if (r < 0)
                return r;
        if (!restart)
                wait_until_ready(service->main_pid, stack);
        *ret_restarted = restart;
        return 0;
}

/* What is at `path` for a process, which may have mounts of its own; where that cannot be seen, what is there for us. */
static int open_for(pid_t pid, const char *path, int flags) {
        const struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC), .resolve = RESOLVE_IN_ROOT};
        char root[64];
        int root_fd, fd;

        (void)snprintf(root, sizeof(root), "/proc/%d/root", (int)pid);
        root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root_fd < 0)
                return open(path, flags | O_CLOEXEC);
        fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
        if (fd < 0 && errno == ENOSYS)
                fd = open(path, flags | O_CLOEXEC);
        (void)close(root_fd);
        return fd;
}

bool sshd_reads_only(const struct sshd_service *service, const char *directory) {
        int fd = open_for(service->main_pid, directory, O_PATH | O_DIRECTORY);
        struct statvfs st;
        bool only = fd < 0 || (fstatvfs(fd, &st) == 0 && (st.f_flag & ST_RDONLY) != 0);

        if (fd >= 0)
                (void)close(fd);
        return only;
}

/* Whether `path` has the service's PID; `ret` is then when it was written. */
static bool is_pid_file(const struct sshd_service *service, const char *path, struct timespec *ret) {
        int fd = open_for(service->main_pid, path, O_RDONLY | O_NONBLOCK);
        char text[32] = "";
        struct stat st;
        bool is;

        if (fd < 0)
                return false;
        is = read(fd, text, sizeof(text) - 1) > 0 && strtol(text, NULL, 10) == (long)service->main_pid &&
             fstat(fd, &st) == 0;
        (void)close(fd);
        if (is)
                *ret = st.st_mtim;
        return is;
}

/* When it has read its configuration, also after SIGHUP, it writes its PID file. */
static int pid_file_time(const struct sshd_service *service, struct timespec *ret, char why[static SSHD_WHY_MAX]) {
        char *effective, *path, *directory = NULL;
        int r;

        r = sshd_effective(service->arguments, NULL, &effective, why);
        if (r < 0)
                return r;
        path = sshd_answer_value(effective, "PidFile");
        free(effective);
        if (path)
                directory = strndup(path, strrchr(path, '/') ? (size_t)(strrchr(path, '/') - path) + 1 : 0);
        if (!directory) {
                (void)snprintf(why, SSHD_WHY_MAX, "out of memory");
                r = -ENOMEM;
        } else if (strcasecmp(path, "none") == 0) {
                (void)snprintf(why, SSHD_WHY_MAX, "its PidFile, which it writes then, is none");
                r = -ENOENT;
        } else if (is_pid_file(service, path, ret))
                r = 0;
        else if (sshd_reads_only(service, directory)) {
                (void)snprintf(why, SSHD_WHY_MAX,
                               "it cannot write its PidFile %s then: to the service, %s is read-only or missing", path,
                               directory);
                r = -EROFS;
        } else {
                (void)snprintf(why, SSHD_WHY_MAX, "its PidFile %s is missing, or another process's", path);
                r = -ESRCH;
        }
        free(directory);
        free(path);
        return r;
}

/* When this machine was started, by the wall clock as it goes now: what is older was there before any sshd of today. */
static struct timespec boot_time(void) {
        struct timespec wall, boot;

        (void)clock_gettime(CLOCK_REALTIME, &wall);
        (void)clock_gettime(CLOCK_BOOTTIME, &boot);
        return (struct timespec){.tv_sec = wall.tv_sec - boot.tv_sec};
}

int sshd_reload_due(const struct sshd_service *service, char ret_path[static PATH_MAX],
                    char ret_why[static SSHD_WHY_MAX]) {
        struct timespec read_at, started = boot_time();
        struct sshd_config *config;
        bool due;
        int r;

        ret_path[0] = '\0';
        if (service->per_connection || !service->active || service->main_pid <= 0)
                return 0;
        r = pid_file_time(service, &read_at, ret_why);
        if (r >= 0)
                r = sshd_config_read(service->arguments, NULL, &config, ret_why);
        if (r < 0)
                return r;
        (void)snprintf(ret_path, PATH_MAX, "%s", config->newest ? config->newest : "");
        /* The times of files go in steps: of two that are the same, either may have been the first. */
        due = !sshd_config_earlier(&config->newest_at, &read_at) && sshd_config_earlier(&started, &config->newest_at);
        sshd_config_free(config);
        return due;
}

static bool same_file(const char *a, const char *b) {
        struct stat a_st, b_st;

        return stat(a, &a_st) == 0 && stat(b, &b_st) == 0 && a_st.st_dev == b_st.st_dev && a_st.st_ino == b_st.st_ino;
}

int sshd_reload_by_pid_file(void) {
        char path[64], *text = NULL;
        long pid;
        int r;

        r = text_file_read(PID_FILE, &text, NULL);
        if (r < 0)
                return -ENOENT;
        pid = strtol(text, NULL, 10);
        free(text);
        if (pid <= 1 || pid > INT_MAX)
                return -ENOENT;
        /* The file may be old, and in a chroot with the machine's /proc the process somebody else's. */
        (void)snprintf(path, sizeof(path), "/proc/%ld/root", pid);
        if (!same_file(path, "/"))
                return -ENOENT;
        (void)snprintf(path, sizeof(path), "/proc/%ld/exe", pid);
        if (!same_file(path, SSHD_PROGRAM))
                return -ENOENT;
        return kill((pid_t)pid, SIGHUP) < 0 ? -errno : 0;
}
