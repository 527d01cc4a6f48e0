/* SPDX-License-Identifier: Apache-2.0 */
/* exc(1): connect to virtual machines, and what goes with it. */
#include <openssl/crypto.h>

#include "exc/command.h"

/*
 * GNUTLS_SKIP_GLOBAL_INIT of gnutls/gnutls.h: libcurl may bring GnuTLS for what exc does not use, as LDAP, and its initialization
 * would take time at each start. A libcurl that has its TLS from GnuTLS initializes that itself.
 */
int _gnutls_global_init_skip(void);

int _gnutls_global_init_skip(void) {
        return 1;
}

int main(int argc, char **argv) {
        struct options options = {.connections = -1};

        /* Secrets are wiped where they are used: to free OpenSSL's tables at the end would only take time. */
        (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
        return cli_main(&exc_cli, argc, argv, &options);
}
