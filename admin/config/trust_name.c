/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/config/trust_name.h"

#include <stdio.h>
#include <string.h>

bool trust_name_file(const char *text, char ret[static TRUST_FILE_NAME_MAX]) {
        static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
        size_t n = strlen(text), n_suffix = strlen(TRUST_SUFFIX);

        if (n > n_suffix && strcmp(text + n - n_suffix, TRUST_SUFFIX) == 0)
                n -= n_suffix;
        if (n == 0 || n > TRUST_NAME_MAX || text[0] == '.' || strspn(text, characters) < n)
                return false;
        (void)snprintf(ret, TRUST_FILE_NAME_MAX, "%.*s" TRUST_SUFFIX, (int)n, text);
        return true;
}

const char *trust_key_type(const EVP_PKEY *key) {
        return EVP_PKEY_is_a(key, "ED25519") ? "Ed25519" : "ECDSA P-256";
}

static size_t count(const char *text, size_t length, const char *what) {
        const char *end = text + length;
        size_t n = 0;

        while ((text = memmem(text, (size_t)(end - text), what, strlen(what)))) {
                text += strlen(what);
                n++;
        }
        return n;
}

static bool begins_with(const char *text, size_t length, const char *what) {
        return length >= strlen(what) && memcmp(text, what, strlen(what)) == 0;
}

const char *trust_text_fault(const char *text, size_t length) {
        if (length == 0)
                return "empty; expected a PEM public key (-----BEGIN PUBLIC KEY-----)";
        if (count(text, length, "PRIVATE KEY-----") > 0)
                return "it holds a private key, which belongs on the machine that signs alone; give the public half, "
                       "as "
                       "this prints it there: openssl pkey -in FILE -pubout";
        if (begins_with(text, length, "ssh-") || begins_with(text, length, "ecdsa-sha2-") ||
            begins_with(text, length, "sk-") || begins_with(text, length, "---- BEGIN SSH2 PUBLIC KEY"))
                return "a public key in OpenSSH's form; expected PEM (-----BEGIN PUBLIC KEY-----), as this prints it: "
                       "openssl pkey -in FILE -pubout";
        if (count(text, length, "-----BEGIN PUBLIC KEY-----") > 1)
                return "more than one key; give a file with one key";
        return NULL;
}
