/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of SSH keys share: keys of each type, and what the parser says of bytes. */
#ifndef EXC_SSH_KEY_SAMPLES_H
#define EXC_SSH_KEY_SAMPLES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/ssh_key.h"

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* Made by ssh-keygen for these tests; the private keys were discarded. */
static const char ed25519[] = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAWzR4F0I2NQhnP/bZcixwskk+h2bh5uHuKUoZfIOieN";
static const char p256[] =
        "ecdsa-sha2-nistp256 "
        "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBOU/zzaXHj/+XhvXxDGkFFYS6xFaXpIgCwAqZOZnLaVkVKd7"
        "gGbvwbDBFLBc8qRYVubon0YB9rrDmQ/T19PVV4c=";
static const char p384[] =
        "ecdsa-sha2-nistp384 "
        "AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBD0KiG4ynxBG+iVDvrkgDHZNL0kDqrVHxSJzi7a1kJ/bW2X6"
        "a6lcQwHQdJUvctRFMGQ2qWhKY/UgFTyDaRtlm7ag188N+iKnz60da29prs9K2HUq5b6444I9B86wHDPlbg==";
static const char p521[] =
        "ecdsa-sha2-nistp521 "
        "AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAATTgQeyYyo8BTsQqgNZt1nlfFAh0oOrRQ3zCOCA6t6w90P"
        "PlZ/KUW+mvKAFTtNQTn7BEGJM8KQ01Fb09I/qpzZrQAmGg2vbvYFKrN8c7JUtVNZO9nH5M/NTzWAtxEkbya3daXieFCNLA10u/1i"
        "4B75F7LqkofEfkQbJsOC/HQKzA4AXQ==";
static const char rsa_1024[] =
        "ssh-rsa "
        "AAAAB3NzaC1yc2EAAAADAQABAAAAgQDW3HpGom2ukdH9W4ND3XWhfhD6RDDloejvK9tvBt2KPCYfjDqV3Pxd1ZkkSRt7QFweHy31"
        "1Dho5acKV3j6+Eiv3xaLRtVDT4wIPkuOFWfyrY12Y26+7dcI7vvysjtcmvuWMVJkGcqBgX1BMCf2QyEaA4G7TE5rmPXW0DvsxCED"
        "uw==";
static const char rsa_2048[] =
        "ssh-rsa "
        "AAAAB3NzaC1yc2EAAAADAQABAAABAQC9+wxWxq8BZAMdMNoFFdX09QE21GA66inb6p7pYdAEiHVsdSvw+GNeenadWGJo6eAf81KJ"
        "Yk9/7iHVwg08a0QXCxSvuMJHB0kQ9nC1eRaXfWCXb2jbLUqKRsPPOeV9AMBU3C7wFYD7dL4GKKOe9wYaipw8n/ZPs1xA2CbNi8kA"
        "Uv8rNOYYYdvm8n7T6HgqE8yNGYVFc+3tZr+SVOH0+dNEFiux7EO2IPbXl/9fv0xnbLIPJgdlSDUlSNq6GHbtcHNZ07xQd7O+WWsP"
        "ZWrYmq8/8U9BoqwdXlyffvl6EUo2Z/0UqQcEhjq5LLvMOLUXd8G+RwEoZHrgn4NX+vkyj+dv";
static const char rsa_3072[] =
        "ssh-rsa "
        "AAAAB3NzaC1yc2EAAAADAQABAAABgQDBr8xJphp40XVFZGxtN/qQFOV4Ade6Ai9srHL5uqZmTEnGD+s1oithPRzWOPzJIbo2Id5V"
        "+RhZdP2FdG5CB9eh2sNpReqq6FOSHoyeNpaOvPKo0cwWUlXRWYeHEtJ5IisAnHwbyhf46wYiFDWb4bl670LDetNjRfP5Pa8kSgzm"
        "xaqV3IdK8J7mFmcbDT4X/3V5PQe7cg41q2TsFMVvbnjMx13eY4U82+wVje32UCUD7zUUODJUfVVpVN9lyb4VOAJu4JmisSSNylOE"
        "JpYW+q5vkpgnBSssq0Dvglg7f8ZWECe568Io64LiKJtoneEMb5uGJ1204tON1ltNP4TGZ5eomCbdiAgfVB0hGtftbVvZLK1+PyhE"
        "Hvz6e/Qp0k4caNG/ZrjH4o6WPStrAF2uNiSDxYMt5pqmEUg3ZzyvcjkcILyQ3Jetnxk6UnoKVlDnazn/vz9H2GLRJD/clZGjcoqd"
        "Nprv8BgTVb26Nj0AMw0CG86QbHKu16JEbcKc/l1PpjU=";
static const char rsa_8192[] =
        "ssh-rsa "
        "AAAAB3NzaC1yc2EAAAADAQABAAAEAQCjpDu28ke5gEwkzx/ITZE07khXQExUZLpCjBhl+/XdHRwPPB22Its0kIHSLtpuDk1fzeV7"
        "f0o3SKmk3svb+Az+jm/jH6mJL6AhIrNuPGltl7CwmQxe8053io4ao0d5Skxa0zhilrRHySBHO+qKrZq7QpGnHESgXPQKBAIecFNu"
        "hNHwP0EWp6S2JsLTBQsjYQL5THpELUq+z22leZXKo1Iyizarn6hRz4WH/TrVZ/haFKHPA3fOrVgALyft4g2IZQGHwuOVJpirdQVt"
        "/z4j3utrpIyQZ4twhhP/ggtXTUiyhRWBug2zQOHgFIfLrYwB+cLhso5rPAyhRdRLvy3imo8DrtCOUKZSPTFtPELJMJ01/AWdfjGp"
        "UK1Cdbcroj/nm9uP73kTrTzuWitdW4+GmUl2lZJQLvi9m9WR7iw2KzKgNDyBH9MpE+EpLAzLfKeFGn4Lrg9Fv87YnzRqCpGwGW6z"
        "3vFChtsD7RjiItecaAfER64SmLCFksyv1Ju3vqosd7aV5AwfFdaoTGl4Tv7Lz1xBpBNV+rYeANdIXwVeZ1EblvhXejJnsrzFrar1"
        "6rQE4mKgk0bvnhl3sJOcroVReK0b71bbEOyrrsiYxMHcp/8FE4eC/+bh1KdU1qAzkQ4Xnp06UWxDn3UBHmnMAwc6kq/J3bqG5qgz"
        "Zf9bQofMpDiB7/wz9eMUcM1+H0ghfxfm4zfNIy7dMejLKYHFPCbB8/a28I15HS6pfnuFOox7RKmNJcm3ghXgafBLITjhJenSJyM4"
        "ebaBsbqsNBz9sK0dECRUNxzvFzUWi/Y34MkJ+huYwFEN5zOOl0ZgiDhvqVZMvjnxvda1+4qfXSayyO9Lm5HBwum8g+vJEpTAtNeO"
        "jYbhishAe22HpvVP1r06tir8P6WVBx9GQNza0YILOXybFo8+j7AX8ElKuJqSu/4cjXm52zEuHkU4OANlHo0ZMC46KCYY9VzRetQP"
        "adaoAa2T3vIep8DiOUew5zjS5o3oJDYNPOS60W6KelIMmp8vaPV+5fWxfW5JhQ+gW10ZV/2wFmKiYmcS/Nvo6VUAKIJQhHc/jtDA"
        "t7pdvJX+aahHU5Bvx7beZhtfugkVKbX08RCHDLxnFiXzmjujF/i2niqyHbAXafFvFGG2PQ+1aZW5kmIyS7ipEXMhlcl1+uzObCcN"
        "VWRdCCz/bR5h8O5AAdUNFFLYo7dslmkfe4C5utxExUF09N7fWpPf+vuMbWmC/VIdlLaJ8FLM8IfhPre3DE1Ps17M4fI0W6yVbWup"
        "u+v3MLBr6ng9bBXkPqJ0vza1H509nbuRF/IbhxdzpgSS6RLmKhKHaXbyWp1vQYY7Rr4T6kmMu3DOlRZFUnqHtviNai9CicOT";
static const char certificate[] =
        "ecdsa-sha2-nistp256-cert-v01@openssh.com "
        "AAAAKGVjZHNhLXNoYTItbmlzdHAyNTYtY2VydC12MDFAb3BlbnNzaC5jb20AAAAgRL5Gr6kOdteCg8OODx9NIuuYnM2yEksQSIP5"
        "oDdMpYMAAAAIbmlzdHAyNTYAAABBBOU/zzaXHj/+XhvXxDGkFFYS6xFaXpIgCwAqZOZnLaVkVKd7gGbvwbDBFLBc8qRYVubon0YB"
        "9rrDmQ/T19PVV4cAAAAAAAAAAAAAAAEAAAACaWQAAAAIAAAABHJvb3QAAAAAAAAAAP//////////AAAAAAAAAIIAAAAVcGVybWl0"
        "LVgxMS1mb3J3YXJkaW5nAAAAAAAAABdwZXJtaXQtYWdlbnQtZm9yd2FyZGluZwAAAAAAAAAWcGVybWl0LXBvcnQtZm9yd2FyZGlu"
        "ZwAAAAAAAAAKcGVybWl0LXB0eQAAAAAAAAAOcGVybWl0LXVzZXItcmMAAAAAAAAAAAAAADMAAAALc3NoLWVkMjU1MTkAAAAgBbNH"
        "gXQjY1CGc/9tlyLHCyST6HZuHm4e4pShl8g6J40AAABTAAAAC3NzaC1lZDI1NTE5AAAAQMPnOQBKxir7p+1VChpdVMf2XPEBejNZ"
        "6m3778gzdYColvzqwIJYQmDK3DyK/Ucnp4zTp/ViDVKxWF2Scb2Ojg0=";

static const uint8_t exponent_65537[] = {0x01, 0x00, 0x01};
static const uint8_t exponent_32_bits[] = {0x00, 0xff, 0xff, 0xff, 0xff};

/* Larger than any accepted key, to build keys that are too long. */
struct blob {
        uint8_t at[4096];
        size_t n;
};

static inline struct blob blob_of(const char *text) {
        const char *base64 = strchr(text, ' ') + 1;
        struct blob blob;

        assert_true(base64_decode(base64, strlen(base64), blob.at, sizeof(blob.at), &blob.n));
        return blob;
}

/* Every key is its type and parts, each a string. */
static inline struct blob blob_of_parts(const char *type, size_t n, const struct bytes parts[]) {
        struct blob blob;
        struct writer to = {.data = blob.at, .size = sizeof(blob.at)};

        writer_text(&to, type);
        for (size_t i = 0; i < n; i++)
                writer_string(&to, parts[i].at, parts[i].left);
        assert_false(to.full);
        blob.n = to.used;
        return blob;
}

static inline struct bytes of(const void *at, size_t n) {
        return (struct bytes){at, n};
}

static inline struct bytes of_text(const char *text) {
        return of(text, strlen(text));
}

/* The bytes after the last length field of a P-256 key: its point, which is on the curve. */
static inline struct bytes p256_point(const struct blob *key) {
        return of(key->at + key->n - 65, 65);
}

static inline struct blob ed25519_of_size(size_t n) {
        static const uint8_t key[64] = {1, 2, 3};

        return blob_of_parts("ssh-ed25519", 1, (struct bytes[]){of(key, n)});
}

static inline struct blob sk_ed25519_for(struct bytes application) {
        struct blob plain = blob_of(ed25519);

        return blob_of_parts("sk-ssh-ed25519@openssh.com", 2,
                             (struct bytes[]){of(plain.at + plain.n - 32, 32), application});
}

static inline struct blob sk_ecdsa_for(struct bytes application) {
        struct blob plain = blob_of(p256);

        return blob_of_parts("sk-ecdsa-sha2-nistp256@openssh.com", 3,
                             (struct bytes[]){of_text("nistp256"), p256_point(&plain), application});
}

static inline struct blob ecdsa_of(const char *type, const char *curve, struct bytes point) {
        return blob_of_parts(type, 2, (struct bytes[]){of_text(curve), point});
}

static inline struct blob rsa_of(struct bytes exponent, struct bytes modulus) {
        return blob_of_parts("ssh-rsa", 2, (struct bytes[]){exponent, modulus});
}

/* An odd number of `bits` bits, as an mpint. */
static inline struct blob modulus_of_bits(size_t bits) {
        struct blob modulus = {.n = bits / 8 + 1};

        modulus.at[0] = (uint8_t)(1 << bits % 8 >> 1);
        if (modulus.at[0] == 0)
                modulus.at[1] = 0x80;
        modulus.at[modulus.n - 1] |= 1;
        return modulus;
}

static inline struct blob rsa_of_bits(size_t bits, struct bytes exponent) {
        struct blob modulus = modulus_of_bits(bits);

        return rsa_of(exponent, of(modulus.at, modulus.n));
}

static inline struct blob rsa_of_exponent(struct bytes exponent) {
        return rsa_of_bits(2048, exponent);
}

enum { SAMPLES = 12 };

/* A key of every accepted type, and the longest ones. */
static inline struct blob sample(size_t i, enum ssh_key_type *ret_type) {
        char longest[SSH_KEY_APPLICATION_MAX + 1] = "ssh:";

        memset(longest + 4, 'x', SSH_KEY_APPLICATION_MAX - 4);
        switch (i) {
        case 0:
                *ret_type = SSH_KEY_ED25519;
                return blob_of(ed25519);
        case 1:
                *ret_type = SSH_KEY_ECDSA_P256;
                return blob_of(p256);
        case 2:
                *ret_type = SSH_KEY_ECDSA_P384;
                return blob_of(p384);
        case 3:
                *ret_type = SSH_KEY_ECDSA_P521;
                return blob_of(p521);
        case 4:
                *ret_type = SSH_KEY_RSA;
                return blob_of(rsa_2048);
        case 5:
                *ret_type = SSH_KEY_RSA;
                return blob_of(rsa_3072);
        case 6:
                *ret_type = SSH_KEY_RSA;
                return blob_of(rsa_8192);
        case 7:
                *ret_type = SSH_KEY_RSA;
                return rsa_of_bits(8192, of(exponent_32_bits, sizeof(exponent_32_bits)));
        case 8:
                *ret_type = SSH_KEY_SK_ED25519;
                return sk_ed25519_for(of_text("ssh:"));
        case 9:
                *ret_type = SSH_KEY_SK_ED25519;
                return sk_ed25519_for(of_text(longest));
        case 10:
                *ret_type = SSH_KEY_SK_ECDSA_P256;
                return sk_ecdsa_for(of_text("ssh:laptop"));
        default:
                *ret_type = SSH_KEY_SK_ECDSA_P256;
                return sk_ecdsa_for(of_text(longest));
        }
}

/*
 * Parses bytes in memory of exactly their size, so that the address sanitizer sees each read past their end. A refusal
 * must leave the result unchanged.
 */
static inline enum ssh_key_fault fault_of(bool text, const void *at, size_t n, struct ssh_key *ret) {
        struct ssh_key before;
        enum ssh_key_fault fault;
        void *exact = malloc(n > 0 ? n : 1);

        assert_non_null(exact);
        if (n > 0)
                memcpy(exact, at, n);
        memset(ret, 0xa5, sizeof(*ret));
        memset(&before, 0xa5, sizeof(before));
        fault = text ? ssh_key_from_text(exact, n, ret) : ssh_key_from_blob(exact, n, ret);
        if (fault != SSH_KEY_OK)
                assert_memory_equal(ret, &before, sizeof(before));
        free(exact);
        return fault;
}

static inline void assert_text_of(const char *text, size_t n, enum ssh_key_fault expected) {
        struct ssh_key key;
        enum ssh_key_fault fault = fault_of(true, text, n, &key);

        if (fault != expected)
                fail_msg("\"%.*s\": \"%s\" instead of \"%s\"", (int)n, text, ssh_key_fault_text(fault),
                         ssh_key_fault_text(expected));
}

static inline void assert_text(const char *text, enum ssh_key_fault expected) {
        assert_text_of(text, strlen(text), expected);
}

/* The blob alone, and as text after its type, must have the same result. */
static inline void assert_blob(struct blob blob, const char *type, enum ssh_key_fault expected) {
        char text[64 + BASE64_LENGTH(sizeof(blob.at)) + 1];
        struct ssh_key key;
        enum ssh_key_fault fault = fault_of(false, blob.at, blob.n, &key);

        if (fault != expected)
                fail_msg("\"%s\" instead of \"%s\"", ssh_key_fault_text(fault), ssh_key_fault_text(expected));
        strcat(strcpy(text, type), " ");
        base64_encode(blob.at, blob.n, text + strlen(text));
        assert_text(text, expected);
}

static inline void assert_joined(const char *before, const char *key, const char *after, enum ssh_key_fault expected) {
        char text[4096];

        assert_true(strlen(before) + strlen(key) + strlen(after) < sizeof(text));
        strcat(strcat(strcpy(text, before), key), after);
        assert_text(text, expected);
}

#endif
