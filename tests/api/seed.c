/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api-seed DATABASE ACCOUNT SECONDS [POLICY]: makes the database and the account where they are missing, and a token of so
 * many seconds, which may have passed already; attaches the policy. Prints the token.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cloud/store/store.h"
#include "cloud/token/token.h"

int main(int argc, char *argv[]) {
        char why[STORE_WHY_MAX], text[CLOUD_TOKEN_MAX];
        struct store_token token = {.created = time(NULL)};
        struct cloud_token made;
        struct store *store;

        if (argc < 4 || store_open(argv[1], true, false, &store, why) < 0) {
                (void)fprintf(stderr, "api-seed: %s\n", argc < 4 ? "arguments" : why);
                return 1;
        }
        (void)store_account_add(store, argv[2], token.created);
        if (cloud_token_make(text, &made) < 0)
                return 1;
        memcpy(token.id, made.id, sizeof(token.id));
        memcpy(token.secret_hash, made.secret_hash, sizeof(token.secret_hash));
        (void)snprintf(token.account, sizeof(token.account), "%s", argv[2]);
        token.expires = token.created + strtol(argv[3], NULL, 10);
        if (store_token_add(store, &token) != STORE_OK ||
            (argc > 4 && store_attach(store, argv[2], argv[4]) > STORE_CREATED)) {
                (void)fprintf(stderr, "api-seed: %s\n", store_why(store));
                return 1;
        }
        store_close(store);
        (void)puts(text);
        return 0;
}
