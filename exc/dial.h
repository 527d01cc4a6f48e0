/* SPDX-License-Identifier: Apache-2.0 */
/* TCP connections to a VM's sshd, for ssh's ProxyCommand with ProxyUseFdpass. */
#ifndef EXC_DIAL_H
#define EXC_DIAL_H

#include <stddef.h>

/*
 * Connects to the first address that answers; each has some seconds. The descriptor, which blocks and has TCP_NODELAY, or the
 * negative errno of the last address. Which one it is, is left in `ret_which`.
 */
int dial(const char *const *addresses, size_t n, int port, size_t *ret_which);

/* Sends the descriptor over standard output, a unix socket that ssh has made. 0 or a negative errno. */
int dial_hand_over(int fd);

#endif
