/* SPDX-License-Identifier: Apache-2.0 */
/* exc compute ssh-config: so that ssh, scp, rsync, git and all that uses ssh reaches VMs as exc-VM. */
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

#include "cli/output.h"
#include "exc/config.h"
#include "exc/key_holder.h"

#define OWN_NAME "exc.conf"
#define HEADER "# Written by exc compute ssh-config --write, which replaces it.\n"
#define INCLUDE "Include " OWN_NAME "\n"

enum { CONFIG_MAX = 4 * 1024 * 1024 };

/* What is in the block, all without characters that end a line or a word of it. */
struct own {
        char directory[PRIVATE_PATH_MAX];
        char user[CONFIG_USER_MAX]; /* "": none */
        const char *ca_file;        /* NULL: none */
};

/* --- the block --------------------------------------------------------------------------------------------------- */

/* A word for the shell in a value that ssh expands: quoted, and '%' doubled. */
static void put_word(FILE *to, const char *word) {
        (void)fputs(" '", to);
        for (; *word; word++) {
                if (*word == '\'')
                        (void)fputs("'\\''", to);
                else
                        (void)fputc(*word, to);
                if (*word == '%')
                        (void)fputc('%', to);
        }
        (void)fputc('\'', to);
}

static void put_option(FILE *to, const char *name, const char *value) {
        if (!value)
                return;
        (void)fprintf(to, " --%s", name);
        put_word(to, value);
}

static void put_proxy_command(FILE *to, const struct options *options, const char *ca_file, const char *directory) {
        char self[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

        self[n > 0 ? n : 0] = '\0';
        (void)fputs("    ProxyCommand", to);
        put_word(to, n > 0 ? self : "exc");
        (void)fputs(" compute proxy-command", to);
        put_option(to, "endpoint", options->endpoint);
        put_option(to, "ca-file", ca_file);
        if (options->no_proxy)
                (void)fputs(" --no-proxy", to);
        put_option(to, "directory", directory);
        /* Quoted: ssh lets no quote through in names of its command line, but older ones a '$'. */
        (void)fputs(" '%n' '%r'\n", to);
}

/*
 * The first value that ssh finds counts, so this stands before all else. Only the key that is made for the connection is
 * offered, and only the host keys that the VM's agent has shown count: see exc/ssh_command.c.
 */
static void put_block(FILE *to, const struct options *options, const struct own *own) {
        (void)fputs(HEADER "Host exc-*\n", to);
        put_proxy_command(to, options, own->ca_file, own->directory);
        if (*own->user)
                (void)fprintf(to, "    User \"%s\"\n", own->user);
        (void)fprintf(to,
                      "    ProxyUseFdpass yes\n"
                      "    IdentityAgent %s/" KEY_HOLDER_SOCKET "\n"
                      "    IdentityFile none\n"
                      "    IdentitiesOnly no\n"
                      "    PubkeyAuthentication yes\n"
                      "    PubkeyAcceptedAlgorithms ssh-ed25519\n"
                      "    PreferredAuthentications publickey,keyboard-interactive\n"
                      "    PKCS11Provider none\n"
                      "    AddKeysToAgent no\n"
                      "    ForwardAgent no\n"
                      "    HostKeyAlias " KEY_HOLDER_ALIAS "\n"
                      "    UserKnownHostsFile %s/" KEY_HOLDER_KNOWN_HOSTS "/%%n\n"
                      "    GlobalKnownHostsFile /dev/null\n"
                      "    KnownHostsCommand none\n"
                      "    StrictHostKeyChecking yes\n"
                      "    UpdateHostKeys no\n"
                      "    VerifyHostKeyDNS no\n"
                      "    CanonicalizeHostname no\n"
                      "    ServerAliveInterval 15\n"
                      "    ServerAliveCountMax 4\n",
                      own->directory, own->directory);
}

/* --- the user's files -------------------------------------------------------------------------------------------- */

/* A file's text, which the caller frees; "" where there is none. NULL when it has complained. */
static char *read_file(const char *path, mode_t *ret_mode) {
        char *text = NULL;
        struct stat st;
        size_t size;
        int fd;

        *ret_mode = 0600;
        errno = 0;
        fd = open(path, O_RDONLY | O_CLOEXEC);
        /* A link to nowhere is the user's own too. */
        if (fd < 0 && errno == ENOENT && lstat(path, &st) < 0)
                return strdup("");
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= CONFIG_MAX) {
                *ret_mode = st.st_mode & 07777;
                size = (size_t)st.st_size;
                text = malloc(size + 1);
                if (text && (read(fd, text, size) != (ssize_t)size || memchr(text, '\0', size))) {
                        free(text);
                        text = NULL;
                }
                if (text)
                        text[size] = '\0';
        }
        if (!text)
                complain("%s: cannot read it: %s", path,
                         errno ? strerror(errno) : "it is not a text file of a usual size");
        if (fd >= 0)
                (void)close(fd);
        return text;
}

/* Replaces it whole or not at all. EXIT_DONE, or it has complained. */
static int replace(const char *path, const char *text, mode_t mode) {
        char temporary[PATH_MAX + 64];
        size_t n = strlen(text);
        int fd = -1, r = 0;

        if ((size_t)snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >= sizeof(temporary))
                errno = ENAMETOOLONG;
        else
                fd = mkostemp(temporary, O_CLOEXEC);
        if (fd < 0)
                r = -errno;
        else if (write(fd, text, n) != (ssize_t)n || fchmod(fd, mode) < 0 || fsync(fd) < 0)
                r = errno ? -errno : -EIO;
        if (fd >= 0 && close(fd) < 0 && r == 0)
                r = -errno;
        if (r == 0 && rename(temporary, path) < 0)
                r = -errno;
        if (r == 0)
                return EXIT_DONE;
        if (fd >= 0)
                (void)unlink(temporary);
        complain("%s: cannot write it: %s; add what exc compute ssh-config prints yourself", path, strerror(-r));
        return EXIT_OWN_FAILURE;
}

static bool begins(const char *line, const char *keyword) {
        size_t n = strlen(keyword);

        return strncasecmp(line, keyword, n) == 0 && line[n] != '\0' && strchr(" \t=", line[n]);
}

/* Whether a line before the first Host or Match includes the file. */
static bool includes(const char *text) {
        while (*text) {
                size_t n = strcspn(text, "\n");

                if (n + 1 == strlen(INCLUDE) && strncmp(text, INCLUDE, n) == 0)
                        return true;
                text += strspn(text, " \t");
                if (begins(text, "Host") || begins(text, "Match"))
                        return false;
                text += strcspn(text, "\n");
                text += *text == '\n';
        }
        return false;
}

/* At the top: below a Host or Match it would hold for that alone, and below other values these would win. */
static int add_include(const char *path) {
        char *real, *text, *whole = NULL;
        int status = EXIT_DONE;
        mode_t mode;

        /* Where it is a link, as into a repository of such files, the link stays. */
        real = realpath(path, NULL);
        if (!real)
                real = strdup(path);
        text = real ? read_file(real, &mode) : NULL;
        if (!text)
                status = EXIT_OWN_FAILURE;
        else if (!includes(text)) {
                if (asprintf(&whole, INCLUDE "%s%s", *text ? "\n" : "", text) < 0) {
                        complain("out of memory");
                        status = EXIT_OWN_FAILURE;
                } else
                        status = replace(real, whole, mode);
        }
        free(whole);
        free(text);
        free(real);
        return status;
}

static int replace_own(const char *path, const char *block) {
        mode_t mode;
        char *text = read_file(path, &mode);
        int status = EXIT_OWN_FAILURE;

        if (text && *text && strncmp(text, HEADER, strlen(HEADER)) != 0)
                complain("%s: it was not written by exc compute ssh-config --write; rename it, or add what exc compute "
                         "ssh-config prints yourself",
                         path);
        else if (text)
                status = strcmp(text, block) == 0 ? EXIT_DONE : replace(path, block, 0600);
        free(text);
        return status;
}

/* ssh takes ~ from the name service, whatever HOME says. */
static int ssh_directory(char ret[static PATH_MAX]) {
        const struct passwd *user = getpwuid(getuid());
        int n = user ? snprintf(ret, PATH_MAX, "%s/.ssh", user->pw_dir) : -1;

        if (n < 0 || n > PATH_MAX - 32) {
                complain("your user has no home in the name service, where ssh looks for .ssh/config");
                return EXIT_OWN_FAILURE;
        }
        if (mkdir(ret, 0700) < 0 && errno != EEXIST) {
                complain("%s: cannot make it: %s", ret, strerror(errno));
                return EXIT_OWN_FAILURE;
        }
        return EXIT_DONE;
}

static int write_files(const char *block) {
        char directory[PATH_MAX], path[PATH_MAX + 32];
        int status = ssh_directory(directory);

        if (status != EXIT_DONE)
                return status;
        (void)snprintf(path, sizeof(path), "%s/" OWN_NAME, directory);
        status = replace_own(path, block);
        if (status != EXIT_DONE)
                return status;
        (void)snprintf(path, sizeof(path), "%s/config", directory);
        status = add_include(path);
        if (status == EXIT_DONE)
                complain("%s includes " OWN_NAME "; try: ssh exc-VM", path);
        return status;
}

/* What a line of ssh's configuration cannot have: it ends there, or ssh expands it. */
static bool fits(const char *text, const char *not_these) {
        if (!text)
                return true;
        if (strpbrk(text, not_these))
                return false;
        for (; *text; text++)
                if ((unsigned char)*text < ' ' || *text == 0x7f)
                        return false;
        return true;
}

/* The user of --user, EXC_USER or config.json. EXIT_DONE, or a status when it has complained. */
static int find_user(const struct cli_line *line, const struct options *options, struct own *ret) {
        struct config config;
        int status = EXIT_DONE;

        if (options->user)
                (void)snprintf(ret->user, sizeof(ret->user), "%s", options->user);
        else {
                status = config_load(options, &config);
                memcpy(ret->user, config.user, sizeof(ret->user));
                explicit_bzero(&config, sizeof(config));
        }
        if (status == EXIT_DONE && !fits(ret->user, "\"'\\%$"))
                return cli_usage(line, "%s: ssh's configuration cannot have that login name", ret->user);
        return status;
}

static int print_or_write(const struct options *options, const struct own *own) {
        char *block = NULL;
        int status = EXIT_OWN_FAILURE;
        size_t length;
        FILE *to = open_memstream(&block, &length);

        if (to)
                put_block(to, options, own);
        if (!to || fclose(to) != 0)
                complain("out of memory");
        else if (options->write)
                status = write_files(block);
        else if (fputs(block, stdout) >= 0)
                status = EXIT_DONE;
        free(block);
        return status;
}

static int run(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct own own = {.ca_file = NULL};
        char ca_file[PATH_MAX];
        int status = find_user(line, options, &own);

        if (status != EXIT_DONE)
                return status;
        /* ssh runs anywhere. */
        if (options->ca_file && !realpath(options->ca_file, ca_file)) {
                complain("%s: %s", options->ca_file, strerror(errno));
                return EXIT_USAGE;
        }
        if (options->ca_file)
                own.ca_file = ca_file;
        if (!fits(options->endpoint, "") || !fits(own.ca_file, ""))
                return cli_usage(line, "ssh's configuration cannot have control characters");
        if (key_holder_directory(own.directory) < 0)
                return EXIT_OWN_FAILURE;
        return print_or_write(options, &own);
}

static const struct cli_option ssh_config_options[] = {
        {.name = "write",
         .take = cli_take_flag,
         .offset = offsetof(struct options, write),
         .help = "write it to ~/.ssh/exc.conf, and include that at the top of ~/.ssh/config"},
        {.name = "user",
         .value = "USER",
         .take = exc_take_user,
         .offset = offsetof(struct options, user),
         .expected = "a login name of 1 to 256 bytes that does not begin with '-'",
         .help = "the login name where ssh's command line has none; default: EXC_USER, exc config set user,\nor that "
                 "of the rest of ssh's configuration"},
        {.name = NULL},
};

const struct cli_command ssh_config_command = {
        .words = "compute ssh-config",
        .summary = "print what lets ssh, scp, rsync, git and others reach VMs as exc-VM",
        .tables = {ssh_config_options},
        .run = run,
};
