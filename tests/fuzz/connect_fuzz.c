/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any JSON as the answer of a connect, once as to a key that was sent and once as to none: what is taken can be an argument
 * of ssh and a line of known_hosts.
 *
 * Input: the body of the answer.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "exc/connect_answer.h"
#include "libpush/known_hosts.h"
#include "wire/json.h"
#include "wire/terminal.h"

#define ASSERT(condition) ((condition) ? (void)0 : abort())
#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIM9+NoPnt44Z4ARqSzHv63pEKTh11sE1jX3pxcB7IwiW"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n);

static void check_address(const char *text, int family) {
        struct in6_addr address;

        ASSERT(text[0] == '\0' || inet_pton(family, text, &address) == 1);
}

static void check_host_key(const struct ssh_key *key) {
        char line[KNOWN_HOSTS_LINE_MAX];
        struct ssh_key again;

        known_hosts_line("exc-vm-42", key, line);
        ASSERT(strncmp(line, "exc-vm-42 ", 10) == 0 && !strpbrk(line, "\n\r\t@"));
        ASSERT(ssh_key_from_text(line + 10, strlen(line + 10), &again) == SSH_KEY_OK);
}

static void check(const struct connect_answer *answer, bool sent) {
        size_t characters;

        ASSERT(strcmp(answer->vm_id, "42") == 0);
        ASSERT(answer->user[0] != '\0' && answer->user[0] != '-' && terminal_plain(answer->user, &characters));
        ASSERT(fingerprint_valid(answer->fingerprint));
        ASSERT(!answer->pair.private_half == sent);
        ASSERT(answer->expires_at >= 0 && answer->port >= 1 && answer->port <= 65535);
        ASSERT(answer->connections >= 0 && answer->connections <= CONNECT_CONNECTIONS_MAX);
        ASSERT(answer->n_host_keys <= CONNECT_HOST_KEYS_MAX);
        for (size_t i = 0; i < answer->n_host_keys; i++)
                check_host_key(&answer->host_keys[i]);
        check_address(answer->address[CONNECT_PUBLIC_IPV4], AF_INET);
        check_address(answer->address[CONNECT_PRIVATE_IPV4], AF_INET);
        check_address(answer->address[CONNECT_IPV6], AF_INET6);
        ASSERT(terminal_plain(answer->request_id, &characters));
}

static void take(json_t *object, const struct ssh_key *key) {
        const struct connect_asked asked = {.vm_id = "42", .key = key};
        struct connect_answer answer;
        struct refused why;
        size_t characters;

        if (connect_answer_take(object, &asked, &answer, &why))
                check(&answer, key != NULL);
        else
                ASSERT(terminal_plain(why.message, &characters));
        connect_answer_wipe(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n) {
        json_t *object = json_read((const char *)input, n, 8);
        struct ssh_key key;

        if (!object)
                return 0;
        ASSERT(ssh_key_from_text(KEY, strlen(KEY), &key) == SSH_KEY_OK);
        take(object, &key);
        take(object, NULL);
        json_decref(object);
        return 0;
}
