/* SPDX-License-Identifier: Apache-2.0 */
#include "exc/ssh_command.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cli/shell_word.h"
#include "libpush/known_hosts.h"

/* The options of ssh 9.2 to 10.0 that have a value, and those that have none. */
#define WITH_VALUE "BbcDEeFIiJLlmOoPpQRSWw"
#define PLAIN "46AaCfGgKkMNnqsTtVvXxYy"

/* --- words ------------------------------------------------------------------------------------------------------- */

void words_add(struct words *words, const char *format, ...) {
        va_list arguments;
        char *word;
        int n;

        if (words->failed)
                return;
        if (words->n + 1 >= words->size) {
                size_t size = words->size > 0 ? 2 * words->size : 64;
                char **at = reallocarray(words->at, size, sizeof(*at));

                words->failed = !at;
                if (!at)
                        return;
                words->at = at;
                words->size = size;
        }
        va_start(arguments, format);
        n = vasprintf(&word, format, arguments);
        va_end(arguments);
        words->failed = n < 0;
        if (n < 0)
                return;
        words->at[words->n++] = word;
        words->at[words->n] = NULL;
}

void words_free(struct words *words) {
        for (size_t i = 0; i < words->n; i++)
                free(words->at[i]);
        free(words->at);
        *words = (struct words){.at = NULL};
}

static void print_word(const char *text) {
        char *word = shell_word(text);

        (void)fputs(word ? word : "", stdout);
        free(word);
}

void words_print_shell(const struct words *words) {
        for (size_t i = 0; i < words->n; i++) {
                if (i > 0)
                        (void)putchar(' ');
                print_word(words->at[i]);
        }
        (void)putchar('\n');
}

/* --- the user's own arguments ------------------------------------------------------------------------------------ */

/* Of a value of -o, "Name value" or "Name=value". */
static bool is_route(const char *option) {
        static const char *const names[] = {"ProxyJump", "ProxyCommand"};
        const char *value = option + strspn(option, " \t");

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                size_t n = strlen(names[i]);

                if (strncasecmp(value, names[i], n) == 0 && (value[n] == '\0' || strchr(" \t=", value[n])))
                        return true;
        }
        return false;
}

/* "-xvalue" or "-x value"; -J and -o may be behind letters without values. Returns how many words it is. */
static size_t take_option(char *const *word, bool *own_route) {
        for (const char *at = *word + 1; *at; at++) {
                const char *value = at[1] != '\0' ? at + 1 : word[1];

                if (!strchr(WITH_VALUE, *at))
                        continue;
                *own_route = *own_route || *at == 'J' || (*at == 'o' && value && is_route(value));
                return at[1] == '\0' && word[1] ? 2 : 1;
        }
        return 1;
}

size_t ssh_command_options(char *const *arguments, bool *ret_own_route) {
        size_t n = 0;

        *ret_own_route = false;
        while (arguments && arguments[n] && arguments[n][0] == '-' && arguments[n][1] != '\0') {
                if (strcmp(arguments[n], "--") == 0)
                        return n + 1;
                n += take_option(arguments + n, ret_own_route);
        }
        return n;
}

/* --- the command ------------------------------------------------------------------------------------------------- */

/*
 * Each of these could keep the login from working, or weaken it, when a configuration file sets it:
 * - keys: only the one of this login is offered; PubkeyAcceptedAlgorithms leaves certificates and keys of other types out
 *   too, which ssh would offer first, and sshd counts (MaxAuthTries); PKCS11Provider may ask for a PIN; passwords are never
 *   asked for, but a second factor may be;
 * - host keys: only those that the agent in the VM has shown count, from no other source, and are stored nowhere;
 * - connection: this address itself, of this family, no connection of another ssh.
 */
static const char *const pins[] = {
        "IdentitiesOnly=yes",
        "PubkeyAuthentication=yes",
        "PubkeyAcceptedAlgorithms=ssh-ed25519",
        "PreferredAuthentications=publickey,keyboard-interactive",
        "PKCS11Provider=none",
        "AddKeysToAgent=no",
        "GlobalKnownHostsFile=/dev/null",
        "StrictHostKeyChecking=yes",
        "UpdateHostKeys=no",
        "VerifyHostKeyDNS=no",
        "NoHostAuthenticationForLocalhost=no",
        "AddressFamily=any",
        "CanonicalizeHostname=no",
        "ControlMaster=no",
        "ControlPath=none",
        NULL,
};

/* ForwardAgent: the agent of this login is nobody else's; with ForwardAgent=$SSH_AUTH_SOCK the user's own is forwarded. */
static const char *const defaults[] = {
        "ConnectTimeout=30",   "ServerAliveInterval=15", "ServerAliveCountMax=4",
        "ForwardAgent=no",     "RemoteCommand=none",     "ForkAfterAuthentication=no",
        "SessionType=default", "StdinNull=no",           NULL,
};

/* As sftp(1) and scp(1) have it. */
static const char *const batch_pins[] = {
        "ClearAllForwardings=yes",
        "PermitLocalCommand=no",
        "RemoteCommand=none",
        "ForkAfterAuthentication=no",
        "SessionType=default",
        "StdinNull=no",
        "ForwardX11=no",
        "EscapeChar=none",
        NULL,
};

static void add_options(struct words *to, const char *const *options) {
        for (; *options; options++) {
                words_add(to, "-o");
                words_add(to, "%s", *options);
        }
}

static void add_option(struct words *to, const char *name, const char *value) {
        words_add(to, "-o");
        words_add(to, "%s=%s", name, value);
}

/* In ssh's configuration '%' begins a token. */
static char *without_tokens(const char *text) {
        char *copy = malloc(2 * strlen(text) + 1), *to = copy;

        for (; copy && *text; text++) {
                *to++ = *text;
                if (*text == '%')
                        *to++ = '%';
        }
        if (copy)
                *to = '\0';
        return copy;
}

static void add_path(struct words *to, const char *name, const char *path) {
        char *text = without_tokens(path);

        if (text)
                words_add(to, "-o"), words_add(to, "%s=\"%s\"", name, text);
        else
                to->failed = true;
        free(text);
}

/*
 * Without a file: printf(1) prints the lines. ssh runs it without a shell, and there is nothing in a line that ssh or printf(1)
 * would interpret.
 */
static void add_known_hosts_command(struct words *to, const char *name, const struct ssh_want *want) {
        char *lines = NULL;
        size_t length;
        FILE *file = open_memstream(&lines, &length);

        for (size_t i = 0; file && i < want->n_host_keys; i++) {
                char line[KNOWN_HOSTS_LINE_MAX];

                known_hosts_line(name, &want->host_keys[i], line);
                (void)fprintf(file, "%s\\n", line);
        }
        if (!file || fclose(file) != 0)
                to->failed = true;
        else {
                add_option(to, "UserKnownHostsFile", "/dev/null");
                words_add(to, "-o");
                words_add(to, "KnownHostsCommand=/usr/bin/printf \"%s\"", lines);
        }
        free(lines);
}

static void add_host(struct words *to, const struct ssh_want *want) {
        char alias[sizeof(CONNECT_HOST_ALIAS) + VM_ID_MAX];

        (void)snprintf(alias, sizeof(alias), CONNECT_HOST_ALIAS "%s", want->vm_id);
        add_option(to, "HostKeyAlias", alias);
        add_option(to, "HostName", want->route->address[0]);
        if (want->known_hosts) {
                add_path(to, "UserKnownHostsFile", want->known_hosts);
                add_option(to, "KnownHostsCommand", "none");
        } else
                add_known_hosts_command(to, alias, want);
}

/* This program connects, address by address, and hands ssh the connection (ProxyUseFdpass in ssh_config(5)). */
static void add_dialer(struct words *to, const char *vm_id, const struct ssh_route *route) {
        char self[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        char *text;

        self[n > 0 ? n : 0] = '\0';
        text = without_tokens(n > 0 && !strchr(self, '\'') ? self : "exc");
        words_add(to, "-o");
        if (!text || route->n > 3)
                to->failed = true;
        else
                words_add(to, "ProxyCommand='%s' compute dial %s %d %s %s %s", text, vm_id, route->port,
                          route->address[0], route->address[1], route->n > 2 ? route->address[2] : "");
        free(text);
        add_option(to, "ProxyUseFdpass", "yes");
}

bool ssh_command_make(const struct ssh_want *want, struct words *ret) {
        bool own_route;
        size_t n = ssh_command_options(want->arguments, &own_route);

        *ret = (struct words){.at = NULL};
        words_add(ret, "%s", want->program);
        if (want->config) {
                words_add(ret, "-F");
                words_add(ret, "%s", want->config);
        }
        if (want->control_path) {
                /* Before the pins, which say the opposite. */
                add_option(ret, "ControlMaster", "yes");
                add_path(ret, "ControlPath", want->control_path);
                add_option(ret, "ControlPersist", "no");
        }
        add_options(ret, pins);
        if (want->batch)
                add_options(ret, batch_pins);
        add_host(ret, want);
        add_path(ret, "IdentityFile", want->identity_file);
        if (want->agent)
                add_path(ret, "IdentityAgent", want->agent);
        words_add(ret, "-l");
        words_add(ret, "%s", want->user);
        words_add(ret, "-p");
        words_add(ret, "%d", want->route->port);
        if (want->batch)
                words_add(ret, want->terminal ? "-tt" : "-T");
        for (size_t i = 0; i < n; i++)
                if (strcmp(want->arguments[i], "--") != 0)
                        words_add(ret, "%s", want->arguments[i]);
        if (!want->batch)
                add_option(ret, "RequestTTY", "auto");
        add_options(ret, defaults);
        if (!own_route) {
                if (want->route->n > 1)
                        add_dialer(ret, want->vm_id, want->route);
                else
                        add_option(ret, "ProxyCommand", "none");
        }
        if (want->subsystem)
                words_add(ret, "-s");
        words_add(ret, "--");
        words_add(ret, "%s", want->route->address[0]);
        if (want->command)
                words_add(ret, "%s", want->command);
        for (size_t i = n; want->arguments && want->arguments[i]; i++)
                words_add(ret, "%s", want->arguments[i]);
        return !ret->failed;
}
