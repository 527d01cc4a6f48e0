/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a line of sshd's log says (OpenSSH 8.9 to 10; auth.c, auth2-pubkey.c, packet.c, auth-options.c), and those that
 * PAM's modules write in sshd's name. Parts of such a line come from the client: a user name that does not exist
 * may hold anything but a colon, and other words anything at all. Each line is recognized by how it begins, which is always
 * sshd's; what stands behind such a part is found from the end that sshd wrote, and a line of another form says nothing.
 */
#ifndef EXC_SSHD_LINE_H
#define EXC_SSHD_LINE_H

#include <stdbool.h>
#include <stdint.h>

enum {
        SSHD_LINE_USER_MAX = 257,
        SSHD_LINE_ADDRESS_MAX = 128,
        SSHD_LINE_FINGERPRINT_MAX = 51, /* "SHA256:", 43 characters, NUL */
        SSHD_LINE_METHOD_MAX = 32,
        SSHD_LINE_DETAIL_MAX = 512,
};

enum sshd_said {
        SSHD_SAID_CONNECTION = 1,  /* somebody connected (LogLevel VERBOSE) */
        SSHD_SAID_ACCEPTED,        /* `method`; `fingerprint` where it was a key */
        SSHD_SAID_PARTIAL,         /* the same, and more is asked for */
        SSHD_SAID_FAILED,          /* the same; for a user who may log in mostly with LogLevel VERBOSE alone */
        SSHD_SAID_NO_SUCH_USER,    /* */
        SSHD_SAID_USER_REFUSED,    /* AllowUsers and the like, an unusable shell, a locked account; why in `detail` */
        SSHD_SAID_WRONG_SOURCE,    /* the key's from= does not match; `detail` is what it says */
        SSHD_SAID_ACCOUNT_REFUSED, /* PAM's account check said no */
        SSHD_SAID_ACCOUNT_NOTE,    /* what a module of PAM said in that check, in `detail` */
        SSHD_SAID_TOO_MANY,        /* MaxAuthTries */
        SSHD_SAID_KEY_REFUSED,     /* a key is not looked at; which kind, and why, in `detail` */
        SSHD_SAID_COMMAND_FAILED,  /* AuthorizedKeysCommand; which and why in `detail` */
        SSHD_SAID_DROPPED,         /* a connection, before authentication; why in `detail` */
        SSHD_SAID_DROPS,           /* `n` connections, which need not have a line each; why in `detail` */
        SSHD_SAID_TIMEOUT,         /* LoginGraceTime; where another process than the connection's says so, `pid` */
        SSHD_SAID_ENDED,           /* the connection is over; after a failure of sshd it is in `detail` */
        SSHD_SAID_LEFT,            /* the same for somebody who had logged in; not always by the connection's process */
        SSHD_SAID_SESSION_OPENED,  /* pam_unix */
        SSHD_SAID_SESSION_CLOSED,  /* pam_unix */
};

/* Texts are "" and numbers 0 where the line does not say. sshd cuts user names after 100 bytes. */
struct sshd_line {
        enum sshd_said said;
        char user[SSHD_LINE_USER_MAX];
        bool unknown_user; /* of an SSHD_SAID_FAILED, _TOO_MANY or _ENDED: sshd knows no such user, or allows it nothing */
        bool certificate;  /* of an SSHD_SAID_ACCEPTED or _PARTIAL: `fingerprint` is that of a certificate's key */
        bool before_login; /* it says that nobody has logged in on the connection */
        char address[SSHD_LINE_ADDRESS_MAX];
        unsigned port;
        char fingerprint[SSHD_LINE_FINGERPRINT_MAX];
        char method[SSHD_LINE_METHOD_MAX];
        char detail[SSHD_LINE_DETAIL_MAX];
        uint64_t pid;
        unsigned n;      /* connections, of an SSHD_SAID_DROPS */
        bool unlogged;   /* of the same: none of them has a line */
        unsigned span_s; /* of the same: in so many seconds before the line; 0: it does not say */
};

/* False where the line says nothing of the above; `ret` then holds nothing of use. */
bool sshd_line_parse(const char *message, struct sshd_line *ret);

#endif
