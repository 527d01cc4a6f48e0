/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that an sshd may treat differently: by Match lines with Address, Host, LocalAddress, LocalPort or RDomain, and by
 * USER@HOST in AllowUsers and DenyUsers. For each address, network or other value that these name there is one client that
 * it is about, and one that none of them is about; what sshd says to each is asked of sshd (sshd -T -C).
 */
#ifndef EXC_SSHD_CLIENTS_H
#define EXC_SSHD_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "admin/sshd/match_line.h"
#include "admin/sshd/sshd.h"
#include "conf/strv.h"

enum {
        SSHD_CLIENTS_MAX = 24, /* each is a run of sshd -T */
        SSHD_CLIENT_ABOUT_MAX = 160,
};

struct sshd_client {
        char about[SSHD_CLIENT_ABOUT_MAX];         /* for people: "address 192.0.2.0/24", "any other client" */
        char value[MATCH_ATTRIBUTES][PATTERN_MAX]; /* for -C; those of MATCH_USER and MATCH_GROUP are empty */
        char *effective;                           /* what sshd -T says */
};

struct sshd_clients {
        struct sshd_client client[SSHD_CLIENTS_MAX]; /* the first is the one that is about nothing special */
        size_t n;                                    /* 1 at least */
        bool named;            /* the configuration names clients, and so decides by them on purpose */
        struct strv not_asked; /* of which clients nothing is known, and why; what repeats is there once */
};

/*
 * Asks an sshd with these -f and -o about `user` (NULL: one that no line names). `from`: an address, to which all clients
 * are limited; NULL: any. `version` as sshd_version() gives it. To be freed with sshd_clients_free(). Negative errno, and
 * then `ret_why` says what sshd or the system said about the first.
 */
int sshd_clients_ask(char *const arguments[], const char *user, const char *from, int version,
                     struct sshd_clients **ret, char ret_why[static SSHD_WHY_MAX]);

/* NULL is accepted. */
void sshd_clients_free(struct sshd_clients *clients);

#endif
