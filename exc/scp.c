/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exc compute scp: files to a VM or from it. One connection: ssh makes it for a shell there, and scp copies over it by SFTP. The
 * shell on the side that is copied to (exc/scp.sh) makes the copy appear at once and whole.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/output.h"
#include "exc/bulk_ciphers.h"
#include "exc/scp_shell.h"
#include "exc/ssh_options.h"
#include "exc/ssh_run.h"

enum { SCP_FAILED = 1, SSH_FAILED = 255 };

struct copy {
        const struct options *options;
        const struct key_grant *grant;
        struct session session;
        char control_path[PRIVATE_PATH_MAX];
        char config_path[PRIVATE_PATH_MAX]; /* "": none */
        struct scp_shell vm, here;          /* `here` is for a download */
        const char *name;                   /* the source's own */
        char destination[PATH_MAX + 2];
};

/* --- paths ------------------------------------------------------------------------------------------------------- */

/*
 * So that scp takes it for a path, whatever it begins with or has in it. On the VM "~" is the home directory, which paths are
 * relative to: for scp, by SFTP, too.
 */
static void make_plain(const char *path, bool on_vm, char *ret, size_t size) {
        if (on_vm && strcmp(path, "~") == 0)
                path = ".";
        else if (on_vm && strncmp(path, "~/", 2) == 0)
                path += 2 + strspn(path + 2, "/");
        (void)snprintf(ret, size, "%s%s", path[0] == '/' ? "" : "./", path);
}

/* The last part of a path, without slashes. The caller frees it; NULL: no memory. */
static char *last_part(const char *path) {
        size_t end = strlen(path), start;

        while (end > 1 && path[end - 1] == '/')
                end--;
        for (start = end; start > 0 && path[start - 1] != '/'; start--)
                ;
        return strndup(path + start, end - start);
}

/* As one word of scp. What is a pattern for scp in a source on the VM is meant as it is. */
static void add_operand(struct words *words, const struct copy *copy, const char *path, bool on_vm, bool source) {
        char escaped[2 * (PATH_MAX + 2)], *to = escaped;

        for (; *path; path++) {
                if (on_vm && source && strchr("\\*?[]", *path))
                        *to++ = '\\';
                *to++ = *path;
        }
        *to = '\0';
        if (on_vm)
                words_add(words, CONNECT_HOST_ALIAS "%s:%s", copy->grant->answer.vm_id, escaped);
        else
                words_add(words, "%s", escaped);
}

/* For messages: the destination as it was given. */
static const char *where(const struct copy *copy) {
        static char text[PATH_MAX + TARGET_NAME_MAX + 8];

        if (copy->options->download)
                return copy->options->dst;
        (void)snprintf(text, sizeof(text), "VM %s: %s", copy->grant->target.given, copy->options->dst);
        return text;
}

/* --- the connection and the shells ------------------------------------------------------------------------------- */

static int connect_shell(struct copy *copy) {
        const struct scp_place place = {
                .destination = copy->options->download ? "" : copy->destination, .name = copy->name, .home = true};
        struct ssh_want want = {.batch = true,
                                .command = "sh",
                                .control_path = copy->control_path,
                                .config = copy->config_path[0] ? copy->config_path : NULL};
        struct session_start start = {.ret_to = &copy->vm.to, .ret_from = &copy->vm.from, .keeps_signals = true};
        struct session *session = &copy->session;
        int status = ssh_run_start(copy->options, copy->grant, &want, &start, session);
        enum session_event event;

        if (status != EXIT_DONE)
                return status;
        event = scp_shell_start(session, &place, &copy->vm);
        if (event == SESSION_READY)
                event = scp_shell_wait(session, &copy->vm);
        switch (event) {
        case SESSION_READY:
                if (access(copy->control_path, F_OK) == 0)
                        return EXIT_DONE;
                complain("%s: ssh has not made this socket, through which scp uses its connection; set XDG_RUNTIME_DIR "
                         "to another directory of yours",
                         copy->control_path);
                return EXIT_OWN_FAILURE;
        case SESSION_ENDED:
                status = ssh_run_status(copy->grant, session);
                if (status == SSH_FAILED || session->signal != 0)
                        return status;
                complain("VM %s: sh does not run there as user %s, and scp needs it", copy->grant->target.given,
                         copy->grant->answer.user);
                return status != EXIT_DONE ? status : EXIT_OWN_FAILURE;
        case SESSION_SIGNAL:
                return EXIT_SIGNALLED + session->signal;
        default:
                return EXIT_OWN_FAILURE;
        }
}

static int own_shell_failed(const struct session *session) {
        if (session->signal != 0)
                return EXIT_SIGNALLED + session->signal;
        complain("sh: it cannot say where the copy is to be made; run it to see why");
        return EXIT_OWN_FAILURE;
}

/* It works while ssh connects. */
static int start_own_shell(struct copy *copy) {
        const struct scp_place place = {.destination = copy->destination, .name = copy->name};
        char sh[] = "sh";
        char *const argv[] = {sh, NULL};
        const struct session_start start = {
                .argv = argv, .ret_to = &copy->here.to, .ret_from = &copy->here.from, .keeps_signals = true};
        int status = session_start(&copy->session, &start);

        if (status != EXIT_DONE || scp_shell_start(&copy->session, &place, &copy->here) == SESSION_READY)
                return status;
        return own_shell_failed(&copy->session);
}

static int await_own_shell(struct copy *copy) {
        return scp_shell_wait(&copy->session, &copy->here) == SESSION_READY ? EXIT_DONE
                                                                            : own_shell_failed(&copy->session);
}

/* Ends what is open; the result is that of the shell that has put the copy in its place, or not. */
static enum scp_shell_result end_shells(struct copy *copy, bool keep, bool *ret_connected) {
        enum scp_shell_result result = SCP_SHELL_REMOVED, on_vm = SCP_SHELL_LOST;

        if (copy->options->download)
                scp_shell_leave(&copy->vm);
        if (copy->here.open)
                result = scp_shell_end(&copy->session, &copy->here, keep);
        if (copy->vm.open) {
                on_vm = scp_shell_end(&copy->session, &copy->vm, keep && !copy->options->download);
                if (!copy->options->download)
                        result = on_vm;
        }
        *ret_connected = on_vm != SCP_SHELL_LOST;
        return result;
}

/* --- scp --------------------------------------------------------------------------------------------------------- */

/*
 * Only what it needs to find the connection. Where that does not take it, ssh would make one of its own: the key would not let
 * it in, so it has no way to go.
 */
static bool make_command(const struct copy *copy, struct words *ret) {
        static const char *const front[] = {
                "scp", "-s", "-F", "none", "-o", "ControlMaster=no", "-o", "ProxyCommand=false", "-o", NULL};
        const struct options *options = copy->options;
        const struct scp_shell *shell = options->download ? &copy->here : &copy->vm;
        char source[PATH_MAX + 2];

        *ret = (struct words){.at = NULL};
        for (const char *const *word = front; *word; word++)
                words_add(ret, "%s", *word);
        words_add(ret, "ControlPath=%s", copy->control_path);
        if (options->recursive)
                words_add(ret, "-r");
        words_add(ret, "--");
        make_plain(options->src, options->download, source, sizeof(source));
        add_operand(ret, copy, source, options->download, true);
        add_operand(ret, copy, shell->temporary ? shell->temporary : copy->destination, !options->download, false);
        return !ret->failed;
}

/* Of ssh, and so of scp; 0: not known. As 100 * major + minor. */
static int version_of_ssh(void) {
        FILE *pipe = popen("exec ssh -V 2>&1", "r");
        int major = 0, minor = 0;

        if (!pipe)
                return 0;
        if (fscanf(pipe, "OpenSSH_%d.%d", &major, &minor) != 2)
                major = minor = 0;
        (void)pclose(pipe);
        return 100 * major + minor;
}

static int run_scp(struct copy *copy) {
        struct session *session = &copy->session;
        struct session_start start = {.input = 0};
        struct words words;
        int status = EXIT_OWN_FAILURE, version;

        /* The terminal's interrupt, when it came while no command ran. */
        if (session_wait(session, -EBADF, 0, session_now_ns()) == SESSION_TIME && session->signal != 0)
                return EXIT_SIGNALLED + session->signal;
        if (make_command(copy, &words)) {
                start.argv = words.at;
                status = session_start(session, &start);
        } else
                complain("out of memory");
        words_free(&words);
        if (status != EXIT_DONE)
                return status;
        if (session_wait(session, -EBADF, 0, 0) != SESSION_ENDED)
                return EXIT_OWN_FAILURE;
        status = session_status(session);
        if (status != EXIT_DONE && session->signal != 0)
                return EXIT_SIGNALLED + session->signal;
        version = status == SCP_FAILED ? version_of_ssh() : 0;
        if (version > 0 && version < 807)
                complain("scp: OpenSSH %d.%d does not copy by SFTP; install 8.7 or later", version / 100,
                         version % 100);
        return status;
}

static void report(const struct copy *copy, enum scp_shell_result result) {
        const struct scp_shell *shell = copy->options->download ? &copy->here : &copy->vm;

        if (!shell->temporary)
                complain("%s: the copy is incomplete, or there is none", where(copy));
        else if (result == SCP_SHELL_LOST || result == SCP_SHELL_LEFT)
                complain("%s: not copied; %s may be left there, and can be removed", where(copy), shell->temporary);
        else
                complain("%s: not copied; nothing there has changed", where(copy));
}

static int copy_files(struct copy *copy) {
        enum scp_shell_result result;
        bool connected;
        int status = copy->options->download ? start_own_shell(copy) : EXIT_DONE;

        if (status == EXIT_DONE)
                status = connect_shell(copy);
        if (status == EXIT_DONE && copy->options->download)
                status = await_own_shell(copy);
        if (status != EXIT_DONE) {
                (void)end_shells(copy, false, &connected);
                return status;
        }
        if (!(copy->options->download ? copy->here : copy->vm).temporary)
                verbose(copy->options, "%s: no temporary: scp writes there itself", where(copy));
        status = run_scp(copy);
        result = end_shells(copy, status == EXIT_DONE, &connected);
        if (status == SSH_FAILED && connected)
                complain("VM %s: its sshd lets no SFTP through the connection; its sshd_config needs Subsystem sftp, "
                         "and "
                         "MaxSessions of 2 or more",
                         copy->grant->target.given);
        if (status == EXIT_DONE && result == SCP_SHELL_KEPT)
                return EXIT_DONE;
        report(copy, result);
        if (status > EXIT_SIGNALLED && copy->session.signal != 0)
                return status;
        return !connected ? SSH_FAILED : status != EXIT_DONE ? status : EXIT_OWN_FAILURE;
}

/* --- the command ------------------------------------------------------------------------------------------------- */

static int check(const struct cli_line *line, const struct options *options) {
        struct stat st;

        if (options->json)
                return cli_usage(line, "-o json does not go with scp: what it prints is not for programs");
        if (strlen(options->src) >= PATH_MAX || strlen(options->dst) >= PATH_MAX)
                return cli_usage(line, "--src or --dst: expected a path of less than %d bytes", PATH_MAX);
        if (options->download)
                return EXIT_DONE;
        if (stat(options->src, &st) < 0) {
                complain("%s: cannot copy it: %s", options->src, strerror(errno));
                return EXIT_USAGE;
        }
        if (S_ISDIR(st.st_mode) && !options->recursive)
                return cli_usage(line, "%s: is a directory; add --recursive", options->src);
        return EXIT_DONE;
}

static int with_grant(const struct options *options, const struct key_grant *grant) {
        struct copy copy = {.options = options,
                            .grant = grant,
                            .vm = {.to = -EBADF, .from = -EBADF},
                            .here = {.to = -EBADF, .from = -EBADF}};
        char *name = last_part(options->src);
        int status = EXIT_OWN_FAILURE;

        copy.name = name;
        make_plain(options->dst, !options->download, copy.destination, sizeof(copy.destination));
        if (!name) {
                complain("out of memory");
                return status;
        }
        status = ssh_run_open(grant, &copy.session);
        if (status == EXIT_DONE) {
                /* private_directory_make() leaves room, also for what ssh appends while it makes the socket. */
                (void)stpcpy(stpcpy(copy.control_path, copy.session.directory), "/mux");
                (void)stpcpy(stpcpy(copy.config_path, copy.session.directory), "/config");
                if (!bulk_ciphers_write(copy.config_path))
                        copy.config_path[0] = '\0';
                status = copy_files(&copy);
                (void)unlink(copy.control_path);
                if (copy.config_path[0])
                        (void)unlink(copy.config_path);
        }
        session_close(&copy.session);
        free(copy.vm.temporary);
        free(copy.here.temporary);
        free(name);
        return status;
}

static int scp(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        const struct key_grant_want want = {.server_key = options->server_key};
        struct key_grant grant = {.pair = {.private_half = NULL}};
        struct api *api;
        int status = check(line, options);

        if (status == EXIT_DONE)
                status = target_from_options(line, options, &grant.target);
        if (status == EXIT_DONE)
                status = api_open(options, &api);
        if (status != EXIT_DONE)
                return status;
        key_grant_protect();
        status = key_grant_get(options, api, &want, &grant);
        api_close(api);
        if (status == EXIT_DONE)
                status = with_grant(options, &grant);
        key_grant_end(&grant);
        return status;
}

static const struct cli_option scp_options[] = {
        {.name = "src",
         .value = "PATH",
         .take = cli_take_text,
         .offset = offsetof(struct options, src),
         .flags = CLI_NEEDED | CLI_BYTES,
         .completes = "files",
         .help = "what is copied, from this machine, with --download from the VM"},
        {.name = "dst",
         .value = "PATH",
         .take = cli_take_text,
         .offset = offsetof(struct options, dst),
         .flags = CLI_NEEDED | CLI_BYTES,
         .completes = "files",
         .help = "what it becomes, or a directory that it goes into"},
        {.name = "download",
         .take = cli_take_flag,
         .offset = offsetof(struct options, download),
         .help = "from the VM to this machine"},
        {.name = "recursive",
         .take = cli_take_flag,
         .offset = offsetof(struct options, recursive),
         .help = "a directory with all that is in it"},
        {.name = NULL},
};

const struct cli_command scp_command = {
        .words = "compute scp",
        .arguments = "[USER@]VM",
        .summary = "copy files to a VM, or from it",
        .more = "Paths are taken as they are, without patterns. On the VM they are relative to\n"
                "the home directory. A file, and a directory that is new, appear at DST whole or\n"
                "not at all.\n",
        .most = 1,
        .completes = "vm",
        .tables = {exc_vm_options, exc_ssh_options, scp_options},
        .run = scp,
};
