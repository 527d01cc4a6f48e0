/* SPDX-License-Identifier: Apache-2.0 */
/* The other side of exc/key_holder.h: its directory, its start, and what is asked of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/output.h"
#include "common/bytes.h"
#include "exc/key_grant.h"
#include "exc/key_holder.h"
#include "libpush/agent_socket.h"

enum { AGENT_SUCCESS = 6, AGENTC_EXTENSION = 27, MESSAGE_MAX = SSH_KEY_BLOB_MAX + 64, ANSWER_S = 20 };

enum { HOLDER_FD = STDERR_FILENO + 1, TRIES = 3 };

/* --- the directory ----------------------------------------------------------------------------------------------- */

int key_holder_directory(char ret[static PRIVATE_PATH_MAX]) {
        const char *parent = getenv("XDG_RUNTIME_DIR");

        if (private_directory_parent(parent))
                (void)snprintf(ret, PRIVATE_PATH_MAX, "%s/exc", parent);
        else if (private_directory_parent("/tmp"))
                (void)snprintf(ret, PRIVATE_PATH_MAX, "/tmp/exc-%u", geteuid());
        else {
                complain("/tmp: other users could replace a directory in it; set XDG_RUNTIME_DIR to a directory of "
                         "yours");
                return -EPERM;
        }
        return 0;
}

static int make_private(const char *path) {
        struct stat st;

        if (mkdir(path, 0700) < 0 && errno != EEXIST) {
                complain("%s: cannot make the directory: %s; run exc compute ssh-config --write again here", path,
                         strerror(errno));
                return -ENOENT;
        }
        if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
                complain("%s: it is not a directory that only you can enter; remove it, or set XDG_RUNTIME_DIR to a "
                         "directory of yours and run exc compute ssh-config --write again",
                         path);
                return -EPERM;
        }
        return 0;
}

/* --- its start --------------------------------------------------------------------------------------------------- */

static int connect_now(const char *path) {
        struct sockaddr_un at = {.sun_family = AF_UNIX};
        const struct timeval limit = {.tv_sec = ANSWER_S};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r = 0;

        if (fd < 0)
                return -errno;
        (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
        /* SO_SNDTIMEO: connect(2) waits where many others do. */
        if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
            connect(fd, (const struct sockaddr *)&at, sizeof(at)) < 0)
                r = -errno;
        if (r == 0)
                return fd;
        (void)close(fd);
        return r;
}

static bool is_absent(int fd) {
        return fd == -ENOENT || fd == -ECONNREFUSED;
}

/* The holder: away from the terminal, the session and the streams of who has started it. */
static void become_holder(int listener) {
        int null;

        (void)setsid();
        /* Of what is inherited nothing may be held open: others wait for its end. */
        if (dup2(listener, HOLDER_FD) < 0 || close_range(HOLDER_FD + 1, ~0U, 0) < 0 || chdir("/") < 0)
                _exit(1);
        null = open("/dev/null", O_RDWR);
        for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
                (void)dup2(null, fd);
        if (null > HOLDER_FD)
                (void)close(null);
        (void)prctl(PR_SET_NAME, "exc-key-holder");
        key_grant_protect();
        key_holder_serve(HOLDER_FD);
        _exit(0);
}

static int start(const char *path) {
        int listener;
        pid_t pid;

        (void)unlink(path);
        listener = agent_socket_listen(path);
        if (listener < 0)
                return listener;
        /* Twice, so that the holder is nobody's child. */
        pid = fork();
        if (pid == 0) {
                if (fork() == 0)
                        become_holder(listener);
                _exit(0);
        }
        (void)close(listener);
        if (pid < 0)
                return -errno;
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        return 0;
}

/* With the lock, so that of several at once only one starts it. */
static int start_locked(const char *directory, const char *path) {
        char name[2 * PRIVATE_PATH_MAX];
        int lock, r, fd;

        (void)snprintf(name, sizeof(name), "%s/lock", directory);
        lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (lock < 0)
                return -errno;
        r = flock(lock, LOCK_EX) < 0 ? -errno : 0;
        fd = r == 0 ? connect_now(path) : r;
        if (r == 0 && is_absent(fd)) {
                r = start(path);
                fd = r == 0 ? connect_now(path) : r;
        }
        (void)close(lock);
        return fd;
}

static int connect_or_start(const char *directory) {
        char path[2 * PRIVATE_PATH_MAX];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/" KEY_HOLDER_SOCKET, directory);
        fd = connect_now(path);
        return is_absent(fd) ? start_locked(directory, path) : fd;
}

/* --- calls ------------------------------------------------------------------------------------------------------- */

static bool send_all(int fd, const uint8_t *bytes, size_t n) {
        while (n > 0) {
                ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);

                if (sent < 0 && errno == EINTR)
                        continue;
                if (sent <= 0)
                        return false;
                bytes += sent;
                n -= (size_t)sent;
        }
        return true;
}

/* -EIO where the other side has closed. One that has not accepted the connection, or not read the request, resets it. */
static int receive_all(int fd, uint8_t *ret, size_t n) {
        ssize_t received = recv(fd, ret, n, MSG_WAITALL);

        if (received < 0)
                return errno == EAGAIN ? -ETIMEDOUT : errno == ECONNRESET ? -EIO : -errno;
        return (size_t)received == n ? 0 : -EIO;
}

/* The body of an answer that is a success, in `memory`. */
static int call(int fd, const struct writer *request, uint8_t memory[static MESSAGE_MAX], struct bytes *ret) {
        uint8_t message[MESSAGE_MAX + 4];
        struct writer to = {.data = message, .size = sizeof(message)};
        struct bytes header = {memory, 4};
        uint32_t length;
        uint8_t number;
        int r;

        writer_string(&to, request->data, request->used);
        if (request->full || to.full)
                return -E2BIG;
        r = send_all(fd, message, to.used) ? receive_all(fd, memory, 4) : -EIO;
        if (r < 0)
                return r;
        if (!bytes_u32(&header, &length) || length == 0 || length > MESSAGE_MAX)
                return -EBADMSG;
        r = receive_all(fd, memory, length);
        if (r < 0)
                return r;
        *ret = (struct bytes){memory, length};
        return bytes_u8(ret, &number) && number == AGENT_SUCCESS ? 0 : -EBUSY;
}

static int make(int fd, pid_t owner, struct ssh_key *ret) {
        uint8_t memory[MESSAGE_MAX], answer[MESSAGE_MAX];
        struct writer request = {.data = memory, .size = sizeof(memory)};
        struct bytes body, blob;
        int r;

        writer_u8(&request, AGENTC_EXTENSION);
        writer_text(&request, KEY_HOLDER_MAKE);
        writer_u32(&request, (uint32_t)owner);
        r = call(fd, &request, answer, &body);
        if (r < 0)
                return r;
        return bytes_string(&body, &blob) && ssh_key_from_blob(blob.at, blob.left, ret) == SSH_KEY_OK ? 0 : -EBADMSG;
}

int key_holder_make(const char *directory, pid_t owner, struct ssh_key *ret) {
        char known_hosts[2 * PRIVATE_PATH_MAX];
        int fd = -EIO;

        (void)snprintf(known_hosts, sizeof(known_hosts), "%s/" KEY_HOLDER_KNOWN_HOSTS, directory);
        if (make_private(directory) < 0 || make_private(known_hosts) < 0)
                return -EPERM;
        /* One that ends at this moment has closed the connection. */
        for (int i = 0; i < TRIES && fd == -EIO; i++) {
                int r;

                fd = connect_or_start(directory);
                r = fd < 0 ? fd : make(fd, owner, ret);
                if (fd >= 0 && r < 0) {
                        (void)close(fd);
                        fd = r;
                }
        }
        if (fd == -EBUSY)
                complain("the key holder has %d keys for connections that are being made; try again later",
                         KEY_HOLDER_KEYS_MAX);
        else if (fd < 0)
                complain("%s/" KEY_HOLDER_SOCKET ": the key holder does not answer: %s; end the process "
                         "exc-key-holder, and try again",
                         directory, strerror(-fd));
        return fd;
}

int key_holder_keep(int fd, const struct ssh_key *key, int seconds) {
        uint8_t memory[MESSAGE_MAX], answer[MESSAGE_MAX];
        struct writer request = {.data = memory, .size = sizeof(memory)};
        struct bytes body;

        writer_u8(&request, AGENTC_EXTENSION);
        writer_text(&request, KEY_HOLDER_KEEP);
        writer_string(&request, key->blob, key->blob_length);
        writer_u32(&request, (uint32_t)seconds);
        return call(fd, &request, answer, &body);
}
