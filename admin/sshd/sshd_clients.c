/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/sshd_clients.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/sshd/match_address.h"
#include "admin/sshd/sshd_config.h"
#include "common/clock.h"
#include "common/source.h"

#define ANY_OTHER "any other client"
#define NO_USER "*" /* sshd looks up no such user, and only patterns for all match it */

enum { ASKING_MS = 6000 };

struct asking {
        char *const *arguments;
        const char *user, *from;
        int version;
        bool use_dns;
        struct strv addresses, local_addresses; /* what the configuration names */
        struct sshd_clients *clients;
};

/* --- clients ------------------------------------------------------------------------------------------------------ */

static int note_addresses(struct strv *to, const char *list) {
        char pattern[PATTERN_MAX];
        bool negated;
        int r = 0;

        while (list && r >= 0 && pattern_next(&list, pattern, &negated))
                if (strcmp(pattern, "*") != 0)
                        r = strv_add(to, pattern);
        return r;
}

static int note_not_asked(struct sshd_clients *clients, const char *what, const char *why) {
        char text[512];

        (void)snprintf(text, sizeof(text), "%s: %s", what, why);
        for (size_t i = 0; i < clients->not_asked.n; i++)
                if (strcmp(clients->not_asked.item[i], text) == 0)
                        return 0;
        return strv_add(&clients->not_asked, text);
}

static void describe(struct sshd_client *client, const char *what, const char *pattern) {
        size_t n = strlen(client->about);

        (void)snprintf(client->about + n, sizeof(client->about) - n, "%s%s %s", n > 0 ? ", " : "", what, pattern);
}

/*
 * Makes a client one that a pattern is about; `about` says so too unless the pattern is about all, or about an address and
 * only one is asked about. False where no client is known that it is about.
 */
static bool meet(const struct asking *asking, struct sshd_client *client, enum match_attribute attribute,
                 const char *pattern) {
        static const char *const what[MATCH_ATTRIBUTES] = {[MATCH_HOST] = "host",
                                                           [MATCH_ADDRESS] = "address",
                                                           [MATCH_LOCAL_ADDRESS] = "local address",
                                                           [MATCH_LOCAL_PORT] = "local port",
                                                           [MATCH_RDOMAIN] = "routing domain"};
        const struct strv *others = attribute == MATCH_LOCAL_ADDRESS ? &asking->local_addresses : &asking->addresses;
        char *value = client->value[attribute];

        if (strcmp(pattern, "*") == 0)
                return true;
        /* Without UseDNS a client's host is its address. */
        if (asking->from && (attribute == MATCH_HOST || attribute == MATCH_ADDRESS)) {
                asking->clients->named = true;
                return true;
        }
        if (attribute == MATCH_HOST && !asking->use_dns)
                value = client->value[MATCH_ADDRESS];
        if (attribute == MATCH_ADDRESS || attribute == MATCH_LOCAL_ADDRESS || value != client->value[attribute]) {
                if (!match_address_of(pattern, others, value))
                        return false;
        } else
                match_instance(pattern, value);
        describe(client, what[attribute], pattern);
        return true;
}

static bool same_values(const struct sshd_client *a, const struct sshd_client *b) {
        for (size_t i = 0; i < MATCH_ATTRIBUTES; i++)
                if (strcmp(a->value[i], b->value[i]) != 0)
                        return false;
        return true;
}

static int add_client(struct asking *asking, struct sshd_client *client) {
        struct sshd_clients *clients = asking->clients;

        if (client->about[0] == '\0')
                return 0;
        clients->named = true;
        if (!asking->from &&
            (!asking->use_dns || strcmp(client->value[MATCH_HOST], clients->client[0].value[MATCH_HOST]) == 0))
                memcpy(client->value[MATCH_HOST], client->value[MATCH_ADDRESS], PATTERN_MAX);
        for (size_t i = 0; i < clients->n; i++)
                if (same_values(client, &clients->client[i]))
                        return 0;
        if (clients->n == SSHD_CLIENTS_MAX)
                return note_not_asked(clients, client->about, "there are too many");
        clients->client[clients->n] = *client;
        clients->client[clients->n++].effective = NULL;
        return 0;
}

/* One that is about the first pattern of each list, and then one about each other pattern. */
static int add_block(struct asking *asking, char *const lists[static MATCH_ATTRIBUTES], const char *condition) {
        struct sshd_client first = asking->clients->client[0];
        char pattern[PATTERN_MAX], chosen[MATCH_ATTRIBUTES][PATTERN_MAX] = {""};
        const char *list;
        bool negated;
        int r = 0;

        first.about[0] = '\0';
        for (enum match_attribute i = MATCH_HOST; i < MATCH_ATTRIBUTES; i++) {
                bool met = !lists[i];

                for (list = lists[i]; !met && pattern_next(&list, pattern, &negated);)
                        if (!negated && (met = meet(asking, &first, i, pattern)))
                                memcpy(chosen[i], pattern, sizeof(pattern));
                /* Without UseDNS no client has a name. */
                if (!met && i != MATCH_HOST)
                        r = note_not_asked(asking->clients, condition, "no client is known that meets it");
                if (!met)
                        return r;
        }
        r = add_client(asking, &first);
        for (enum match_attribute i = MATCH_HOST; i < MATCH_ATTRIBUTES && r >= 0; i++)
                for (list = lists[i]; list && r >= 0 && pattern_next(&list, pattern, &negated);) {
                        struct sshd_client other = asking->clients->client[0];
                        bool met = true;

                        other.about[0] = '\0';
                        for (enum match_attribute j = MATCH_HOST; j < MATCH_ATTRIBUTES && met; j++)
                                if (lists[j])
                                        met = meet(asking, &other, j, j == i ? pattern : chosen[j]);
                        if (met)
                                r = add_client(asking, &other);
                }
        return r;
}

/* Of the entries that may be about the user, each pattern behind the "@". */
static int add_entries(struct asking *asking, const char *effective, const char *setting) {
        char entry[1024], pattern[PATTERN_MAX];
        bool negated;
        int r = 0;

        for (size_t i = 0; r >= 0 && sshd_setting(effective, setting, i, entry, sizeof(entry)); i++) {
                const char *hosts = pattern_user_host(entry, asking->version);

                if (!hosts)
                        continue;
                entry[hosts - 1 - entry] = '\0';
                if (!pattern_matches(entry, asking->user))
                        continue;
                while (r >= 0 && pattern_next(&hosts, pattern, &negated)) {
                        struct sshd_client client = asking->clients->client[0];

                        client.about[0] = '\0';
                        if (meet(asking, &client, MATCH_ADDRESS, pattern) ||
                            (asking->use_dns && meet(asking, &client, MATCH_HOST, pattern)))
                                r = add_client(asking, &client);
                }
        }
        return r;
}

/* --- the client that nothing is about ------------------------------------------------------------------------------ */

/* As sshd finds it with UseDNS: the name must lead back to the address (remote_hostname() in OpenSSH's canohost.c). */
static void name_of(const char *address, char ret[static PATTERN_MAX]) {
        struct addrinfo *one = NULL, *all = NULL, numeric = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST},
                        any = {.ai_socktype = SOCK_STREAM};
        char name[NI_MAXHOST], text[NI_MAXHOST];
        bool back = false;

        (void)snprintf(ret, PATTERN_MAX, "%s", address);
        if (getaddrinfo(address, NULL, &numeric, &one) != 0)
                return;
        if (getnameinfo(one->ai_addr, one->ai_addrlen, name, sizeof(name), NULL, 0, NI_NAMEREQD) == 0 &&
            strlen(name) < PATTERN_MAX && getaddrinfo(name, NULL, &any, &all) == 0) {
                for (struct addrinfo *at = all; at && !back; at = at->ai_next)
                        back = getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) ==
                                       0 &&
                               strcmp(text, address) == 0;
                freeaddrinfo(all);
        }
        if (back)
                (void)snprintf(ret, PATTERN_MAX, "%.*s", PATTERN_MAX - 1, name);
        freeaddrinfo(one);
}

/* sshd's first "listenaddress": ADDRESS:PORT or [ADDRESS]:PORT. */
static void take_listening(struct asking *asking, const char *effective, struct sshd_client *ret) {
        char line[256] = "", *port, *address = line;
        struct source source;

        (void)snprintf(ret->value[MATCH_LOCAL_PORT], PATTERN_MAX, "22");
        (void)sshd_setting(effective, "port", 0, ret->value[MATCH_LOCAL_PORT], PATTERN_MAX);
        match_address_elsewhere(&asking->local_addresses, ret->value[MATCH_LOCAL_ADDRESS]);
        if (!sshd_setting(effective, "listenaddress", 0, line, sizeof(line)))
                return;
        port = strrchr(line, ':');
        if (!port || strlen(port) <= 1 || strlen(port) > 6)
                return;
        *port++ = '\0';
        (void)snprintf(ret->value[MATCH_LOCAL_PORT], PATTERN_MAX, "%s", port);
        address += *address == '[';
        address[strcspn(address, "]%")] = '\0';
        if (source_from_text(address, &source) && strcmp(address, "0.0.0.0") != 0 && strcmp(address, "::") != 0)
                (void)snprintf(ret->value[MATCH_LOCAL_ADDRESS], PATTERN_MAX, "%s", address);
}

static void make_first(struct asking *asking, const char *effective) {
        struct sshd_client *first = &asking->clients->client[0];

        asking->clients->n = 1;
        (void)snprintf(first->about, sizeof(first->about), ANY_OTHER);
        take_listening(asking, effective, first);
        if (!asking->from)
                match_address_elsewhere(&asking->addresses, first->value[MATCH_ADDRESS]);
        else
                (void)snprintf(first->value[MATCH_ADDRESS], PATTERN_MAX, "%s", asking->from);
        if (asking->from && asking->use_dns)
                name_of(asking->from, first->value[MATCH_HOST]);
        else
                memcpy(first->value[MATCH_HOST], first->value[MATCH_ADDRESS], PATTERN_MAX);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static int ask_client(const struct asking *asking, struct sshd_client *client, char why[static SSHD_WHY_MAX]) {
        const char *values[MATCH_ATTRIBUTES] = {[MATCH_USER] = asking->user};
        char *specification;
        int r;

        for (enum match_attribute i = MATCH_HOST; i < MATCH_ATTRIBUTES; i++)
                values[i] = client->value[i];
        specification = match_specification(values);
        if (!specification) {
                (void)snprintf(why, SSHD_WHY_MAX, "out of memory");
                return -ENOMEM;
        }
        r = sshd_effective_for(asking->arguments, specification, &client->effective, why);
        free(specification);
        return r;
}

/* Lists of users may stand in Match blocks too, so an answer may name more clients. */
static int ask_all(struct asking *asking, char why[static SSHD_WHY_MAX]) {
        struct sshd_clients *clients = asking->clients;
        int64_t end_ms = clock_ms(CLOCK_MONOTONIC) + ASKING_MS;
        int r = 0;

        for (size_t i = 0; i < clients->n && r >= 0; i++) {
                struct sshd_client *client = &clients->client[i];

                if (!client->effective)
                        r = i > 0 && clock_ms(CLOCK_MONOTONIC) >= end_ms ? -ETIMEDOUT : ask_client(asking, client, why);
                if (r < 0 && i > 0) {
                        r = note_not_asked(clients, client->about, r == -ETIMEDOUT ? "sshd answers too slowly" : why);
                        *client = clients->client[--clients->n];
                        i--;
                        continue;
                }
                if (r >= 0)
                        r = add_entries(asking, client->effective, "allowusers");
                if (r >= 0)
                        r = add_entries(asking, client->effective, "denyusers");
        }
        return r;
}

/* The lists of each Match line that is about clients. */
static int read_blocks(struct asking *asking, const struct sshd_config *config, bool add) {
        int r = 0;

        for (size_t i = 0; i < config->n_blocks && r >= 0; i++) {
                char *lists[MATCH_ATTRIBUTES] = {NULL}, text[512];
                bool of_clients = false;

                /* What this does not know is not about clients: sshd took it. */
                (void)match_condition(config->block[i].condition, lists);
                for (enum match_attribute j = MATCH_HOST; j < MATCH_ATTRIBUTES; j++)
                        of_clients |= lists[j] != NULL;
                if (add && of_clients) {
                        (void)snprintf(text, sizeof(text), "Match %s", config->block[i].condition);
                        r = add_block(asking, lists, text);
                } else if (of_clients) {
                        r = note_addresses(&asking->addresses, lists[MATCH_ADDRESS]);
                        if (r >= 0)
                                r = note_addresses(&asking->addresses, lists[MATCH_HOST]);
                        if (r >= 0)
                                r = note_addresses(&asking->local_addresses, lists[MATCH_LOCAL_ADDRESS]);
                }
                for (size_t j = 0; j < MATCH_ATTRIBUTES; j++)
                        free(lists[j]);
        }
        return r;
}

/* Those of the lists that count for all; what stands in blocks is seen when the blocks are asked about. */
static int note_entries(struct asking *asking, const char *effective, const char *setting) {
        char entry[1024];
        int r = 0;

        for (size_t i = 0; r >= 0 && sshd_setting(effective, setting, i, entry, sizeof(entry)); i++)
                r = note_addresses(&asking->addresses, pattern_user_host(entry, asking->version));
        return r;
}

static int find_and_ask(struct asking *asking, const struct sshd_config *config, char **effective,
                        char why[static SSHD_WHY_MAX]) {
        int r;

        r = read_blocks(asking, config, false);
        if (r >= 0)
                r = note_entries(asking, *effective, "allowusers");
        if (r >= 0)
                r = note_entries(asking, *effective, "denyusers");
        if (r < 0)
                return r;
        asking->use_dns = sshd_setting_is(*effective, "usedns", "yes");
        make_first(asking, *effective);
        r = read_blocks(asking, config, true);
        if (r >= 0 && !asking->clients->named && strcmp(asking->user, NO_USER) == 0) {
                asking->clients->client[0].effective = *effective; /* transferred */
                *effective = NULL;
        }
        return r < 0 ? r : ask_all(asking, why);
}

int sshd_clients_ask(char *const arguments[], const char *user, const char *from, int version,
                     struct sshd_clients **ret, char ret_why[static SSHD_WHY_MAX]) {
        struct asking asking = {
                .arguments = arguments, .user = user ? user : NO_USER, .from = from, .version = version};
        struct sshd_config *config = NULL;
        char *effective = NULL;
        int r;

        (void)snprintf(ret_why, SSHD_WHY_MAX, "out of memory");
        asking.clients = calloc(1, sizeof(*asking.clients));
        r = asking.clients ? sshd_config_read(arguments, NULL, &config, ret_why) : -ENOMEM;
        if (r >= 0)
                r = sshd_effective(arguments, user, &effective, ret_why);
        if (r >= 0)
                r = find_and_ask(&asking, config, &effective, ret_why);
        free(effective);
        sshd_config_free(config);
        strv_clear(&asking.addresses);
        strv_clear(&asking.local_addresses);
        if (r < 0) {
                sshd_clients_free(asking.clients);
                return r;
        }
        *ret = asking.clients; /* transferred */
        return 0;
}

void sshd_clients_free(struct sshd_clients *clients) {
        if (!clients)
                return;
        for (size_t i = 0; i < clients->n; i++)
                free(clients->client[i].effective);
        strv_clear(&clients->not_asked);
        free(clients);
}
