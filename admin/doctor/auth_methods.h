/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AuthenticationMethods of sshd_config(5): what a client needs beside a key. It is lists of methods, of which the client
 * finishes one, each method of it once for each time that it is there.
 */
#ifndef EXC_AUTH_METHODS_H
#define EXC_AUTH_METHODS_H

#include <stdbool.h>

enum { AUTH_METHODS_TEXT_MAX = 256 }; /* with the NUL */

enum auth_methods {
        AUTH_METHODS_KEY,    /* a key is enough */
        AUTH_METHODS_MORE,   /* a key is a part of each list that can be finished with one */
        AUTH_METHODS_NO_KEY, /* no list has a key */
        AUTH_METHODS_OFF,    /* no list that has a key can be finished: it has a method that is off */
};

/*
 * By what sshd -T says. `root`: the user is root, for whom PermitRootLogin may leave out methods. `ret`: for
 * AUTH_METHODS_MORE what the client needs beside one key ("password and another key, or hostbased"), for AUTH_METHODS_OFF
 * the setting by which the first method is off ("PasswordAuthentication is no"), else "". Negative errno.
 */
int auth_methods_judge(const char *effective, bool root, char ret[static AUTH_METHODS_TEXT_MAX]);

#endif
