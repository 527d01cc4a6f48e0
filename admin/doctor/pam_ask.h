/* SPDX-License-Identifier: Apache-2.0 */
/* PAM itself, asked for an account as sshd asks: pam_acct_mgmt(3), without authentication and without a session. */
#ifndef EXC_PAM_ASK_H
#define EXC_PAM_ASK_H

enum {
        PAM_TEXT_MAX = 128, /* these with the NUL */
        PAM_MESSAGE_MAX = 256,
};

struct pam_answer {
        int code;                      /* admin/doctor/pam_stack.h */
        char text[PAM_TEXT_MAX];       /* pam_strerror(3) of it */
        char message[PAM_MESSAGE_MAX]; /* the last that a module has for the user, of any bytes; "" */
};

/*
 * For `user`, as a client at the address `client` gives that name, in a child that is killed after `timeout_ms`: -ETIMEDOUT
 * then, -EIO where a module ends it, -ELIBACC where PAM cannot be loaded or started. The library is opened at run time:
 * an sshd that uses PAM needs it too. Runs as root, as sshd does.
 */
int pam_ask(const char *service, const char *user, const char *client, int timeout_ms, struct pam_answer *ret);

#endif
