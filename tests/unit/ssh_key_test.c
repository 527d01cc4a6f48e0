/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ssh_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* Made by ssh-keygen for these tests alone; nobody has kept the private halves. */
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

/* Larger than what is accepted, so that keys that are too long can be built as well. */
struct blob {
        uint8_t at[4096];
        size_t n;
};

static struct blob blob_of(const char *text) {
        const char *base64 = strchr(text, ' ') + 1;
        struct blob blob;

        assert_true(base64_decode(base64, strlen(base64), blob.at, sizeof(blob.at), &blob.n));
        return blob;
}

/* Each part is a string: this is what every key is made of. */
static struct blob blob_of_parts(const char *type, size_t n, const struct bytes parts[]) {
        struct blob blob;
        struct writer to = {.data = blob.at, .size = sizeof(blob.at)};

        writer_text(&to, type);
        for (size_t i = 0; i < n; i++)
                writer_string(&to, parts[i].at, parts[i].left);
        assert_false(to.full);
        blob.n = to.used;
        return blob;
}

static struct bytes of(const void *at, size_t n) {
        return (struct bytes){at, n};
}

static struct bytes of_text(const char *text) {
        return of(text, strlen(text));
}

/* The bytes behind the last length field of the P-256 key: its point, which lies on the curve. */
static struct bytes p256_point(const struct blob *key) {
        return of(key->at + key->n - 65, 65);
}

static struct blob ed25519_of_size(size_t n) {
        static const uint8_t key[64] = {1, 2, 3};

        return blob_of_parts("ssh-ed25519", 1, (struct bytes[]){of(key, n)});
}

static struct blob sk_ed25519_for(struct bytes application) {
        struct blob plain = blob_of(ed25519);

        return blob_of_parts("sk-ssh-ed25519@openssh.com", 2,
                             (struct bytes[]){of(plain.at + plain.n - 32, 32), application});
}

static struct blob sk_ecdsa_for(struct bytes application) {
        struct blob plain = blob_of(p256);

        return blob_of_parts("sk-ecdsa-sha2-nistp256@openssh.com", 3,
                             (struct bytes[]){of_text("nistp256"), p256_point(&plain), application});
}

static struct blob ecdsa_of(const char *type, const char *curve, struct bytes point) {
        return blob_of_parts(type, 2, (struct bytes[]){of_text(curve), point});
}

static struct blob rsa_of(struct bytes exponent, struct bytes modulus) {
        return blob_of_parts("ssh-rsa", 2, (struct bytes[]){exponent, modulus});
}

/* An odd number of exactly so many bits, written as an mpint. */
static struct blob modulus_of_bits(size_t bits) {
        struct blob modulus = {.n = bits / 8 + 1};

        modulus.at[0] = (uint8_t)(1 << bits % 8 >> 1);
        if (modulus.at[0] == 0)
                modulus.at[1] = 0x80;
        modulus.at[modulus.n - 1] |= 1;
        return modulus;
}

static struct blob rsa_of_bits(size_t bits, struct bytes exponent) {
        struct blob modulus = modulus_of_bits(bits);

        return rsa_of(exponent, of(modulus.at, modulus.n));
}

static struct blob rsa_of_exponent(struct bytes exponent) {
        return rsa_of_bits(2048, exponent);
}

enum { SAMPLES = 12 };

/* A key of every type that is taken, and the longest ones. */
static struct blob sample(size_t i, enum ssh_key_type *ret_type) {
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
 * What is said to bytes in memory of exactly their size: under the address sanitizer no read behind them goes
 * unnoticed. A refusal must leave the result alone.
 */
static enum ssh_key_fault fault_of(bool text, const void *at, size_t n, struct ssh_key *ret) {
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

static void assert_text_of(const char *text, size_t n, enum ssh_key_fault expected) {
        struct ssh_key key;
        enum ssh_key_fault fault = fault_of(true, text, n, &key);

        if (fault != expected)
                fail_msg("\"%.*s\": \"%s\" instead of \"%s\"", (int)n, text, ssh_key_fault_text(fault),
                         ssh_key_fault_text(expected));
}

static void assert_text(const char *text, enum ssh_key_fault expected) {
        assert_text_of(text, strlen(text), expected);
}

/* The same is said of the blob alone and of it as text behind its own type. */
static void assert_blob(struct blob blob, const char *type, enum ssh_key_fault expected) {
        char text[64 + BASE64_LENGTH(sizeof(blob.at)) + 1];
        struct ssh_key key;
        enum ssh_key_fault fault = fault_of(false, blob.at, blob.n, &key);

        if (fault != expected)
                fail_msg("\"%s\" instead of \"%s\"", ssh_key_fault_text(fault), ssh_key_fault_text(expected));
        strcat(strcpy(text, type), " ");
        base64_encode(blob.at, blob.n, text + strlen(text));
        assert_text(text, expected);
}

static void assert_joined(const char *before, const char *key, const char *behind, enum ssh_key_fault expected) {
        char text[4096];

        assert_true(strlen(before) + strlen(key) + strlen(behind) < sizeof(text));
        strcat(strcat(strcpy(text, before), key), behind);
        assert_text(text, expected);
}

static void every_type_is_taken_and_comes_back_as_it_was(void **state) {
        (void)state;
        for (size_t i = 0; i < SAMPLES; i++) {
                enum ssh_key_type type;
                struct blob blob = sample(i, &type);
                char text[SSH_KEY_TEXT_MAX];
                struct ssh_key key, again;

                assert_int_equal(fault_of(false, blob.at, blob.n, &key), SSH_KEY_OK);
                assert_int_equal(key.type, type);
                assert_int_equal(key.blob_length, blob.n);
                assert_memory_equal(key.blob, blob.at, blob.n);

                ssh_key_to_text(&key, text);
                assert_true(strlen(text) < SSH_KEY_TEXT_MAX);
                assert_int_equal(fault_of(true, text, strlen(text), &again), SSH_KEY_OK);
                assert_int_equal(again.type, type);
                assert_int_equal(again.blob_length, blob.n);
                assert_memory_equal(again.blob, blob.at, blob.n);
        }
}

static void the_text_is_the_one_that_ssh_keygen_wrote(void **state) {
        static const char *const texts[] = {ed25519, p256, p384, p521, rsa_2048, rsa_3072, rsa_8192};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                char text[SSH_KEY_TEXT_MAX];
                struct ssh_key key;

                assert_int_equal(fault_of(true, texts[i], strlen(texts[i]), &key), SSH_KEY_OK);
                ssh_key_to_text(&key, text);
                assert_string_equal(text, texts[i]);
                assert_int_equal(strncmp(text, ssh_key_type_name(key.type), strcspn(text, " ")), 0);
        }
}

static void the_longest_text_fits_its_memory(void **state) {
        struct ssh_key key = {.type = SSH_KEY_SK_ECDSA_P256, .blob_length = SSH_KEY_BLOB_MAX};
        char *text = malloc(SSH_KEY_TEXT_MAX);

        (void)state;
        assert_non_null(text);
        ssh_key_to_text(&key, text);
        assert_true(strlen(text) < SSH_KEY_TEXT_MAX);
        free(text);
        for (int type = SSH_KEY_ED25519; type <= SSH_KEY_SK_ECDSA_P256; type++)
                assert_true(strlen(ssh_key_type_name((enum ssh_key_type)type)) < SSH_KEY_TYPE_MAX);
}

static void the_point_of_an_ecdsa_key_is_found_in_its_blob(void **state) {
        (void)state;
        for (size_t i = 0; i < SAMPLES; i++) {
                static const size_t lengths[] = {
                        [SSH_KEY_ECDSA_P256] = 65,
                        [SSH_KEY_ECDSA_P384] = 97,
                        [SSH_KEY_ECDSA_P521] = 133,
                        [SSH_KEY_SK_ECDSA_P256] = 65,
                };
                enum ssh_key_type type;
                struct blob blob = sample(i, &type), plain = blob_of(p256);
                struct ssh_key key;

                assert_int_equal(fault_of(false, blob.at, blob.n, &key), SSH_KEY_OK);
                assert_int_equal(key.point_length, lengths[type]);
                if (lengths[type] == 0)
                        assert_int_equal(key.point_offset, 0);
                else if (type == SSH_KEY_SK_ECDSA_P256)
                        assert_memory_equal(key.blob + key.point_offset, p256_point(&plain).at, 65);
                else
                        assert_int_equal(key.point_offset + key.point_length, key.blob_length);
        }
}

static void a_blob_that_ends_early_is_refused_at_every_length(void **state) {
        (void)state;
        for (size_t i = 0; i < SAMPLES; i++) {
                enum ssh_key_type type;
                struct blob blob = sample(i, &type);
                struct ssh_key key;

                for (size_t n = 0; n < blob.n; n++)
                        assert_int_equal(fault_of(false, blob.at, n, &key), SSH_KEY_FAULT_TRUNCATED);
        }
}

static void a_text_that_ends_early_is_refused_at_every_length(void **state) {
        (void)state;
        for (size_t i = 0; i < SAMPLES; i++) {
                enum ssh_key_type type;
                struct blob blob = sample(i, &type);
                char text[SSH_KEY_TEXT_MAX];
                struct ssh_key key;

                assert_int_equal(ssh_key_from_blob(blob.at, blob.n, &key), SSH_KEY_OK);
                ssh_key_to_text(&key, text);
                for (size_t n = 0; n < strlen(text); n++)
                        assert_int_not_equal(fault_of(true, text, n, &key), SSH_KEY_OK);
        }
}

static void every_byte_behind_the_last_part_is_refused(void **state) {
        (void)state;
        for (size_t i = 0; i < SAMPLES; i++) {
                enum ssh_key_type type;
                struct blob blob = sample(i, &type);
                struct ssh_key key;

                for (unsigned byte = 0; byte < 256; byte++) {
                        blob.at[blob.n] = (uint8_t)byte;
                        assert_int_equal(fault_of(false, blob.at, blob.n + 1, &key), SSH_KEY_FAULT_TRAILING);
                }
        }
}

static void a_length_field_with_any_one_bit_changed_is_refused(void **state) {
        (void)state;
        for (size_t i = 0; i < SAMPLES; i++) {
                enum ssh_key_type type;
                struct blob blob = sample(i, &type);
                struct bytes from = of(blob.at, blob.n), part;

                while (from.left > 0) {
                        uint8_t *field = blob.at + (blob.n - from.left);

                        assert_true(bytes_string(&from, &part));
                        for (unsigned bit = 0; bit < 32; bit++) {
                                struct ssh_key key;

                                field[bit / 8] ^= (uint8_t)(1 << bit % 8);
                                assert_int_not_equal(fault_of(false, blob.at, blob.n, &key), SSH_KEY_OK);
                                field[bit / 8] ^= (uint8_t)(1 << bit % 8);
                        }
                }
        }
}

/* Most changes make another key of the same shape. Whatever is taken must be kept as it came. */
static void any_one_bit_changed_is_refused_or_kept_as_it_came(void **state) {
        (void)state;
        for (size_t i = 0; i < SAMPLES; i++) {
                enum ssh_key_type type;
                struct blob blob = sample(i, &type);
                size_t taken = 0;

                for (size_t bit = 0; bit < 8 * blob.n; bit++) {
                        struct ssh_key key;

                        blob.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
                        if (fault_of(false, blob.at, blob.n, &key) == SSH_KEY_OK) {
                                taken++;
                                assert_int_equal(key.blob_length, blob.n);
                                assert_memory_equal(key.blob, blob.at, blob.n);
                        }
                        blob.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
                }
                assert_in_range(taken, 1, 8 * blob.n - 1);
        }
}

static void no_text_is_refused(void **state) {
        struct ssh_key key;

        (void)state;
        assert_int_equal(ssh_key_from_text("", 0, &key), SSH_KEY_FAULT_EMPTY);
        assert_int_equal(ssh_key_from_text(NULL, 0, &key), SSH_KEY_FAULT_EMPTY);
        assert_int_equal(ssh_key_from_blob(NULL, 0, &key), SSH_KEY_FAULT_TRUNCATED);
}

static void what_is_not_printable_ascii_is_refused_at_every_place(void **state) {
        const size_t n = strlen(ed25519);
        char text[sizeof(ed25519)];

        (void)state;
        for (unsigned c = 0; c < 256; c++) {
                if (c >= 0x20 && c < 0x7f)
                        continue;
                for (size_t place = 0; place < n; place++) {
                        memcpy(text, ed25519, n);
                        text[place] = (char)c;
                        assert_text_of(text, n, SSH_KEY_FAULT_CONTROL);
                }
                memcpy(text, ed25519, n);
                text[n] = (char)c;
                assert_text_of(text, n + 1, SSH_KEY_FAULT_CONTROL);
        }
        assert_joined("", ed25519, "\r\n", SSH_KEY_FAULT_CONTROL);
        assert_joined("\xef\xbb\xbf", ed25519, "", SSH_KEY_FAULT_CONTROL);
        assert_joined(ed25519, "\n", ed25519, SSH_KEY_FAULT_CONTROL);
}

static void two_words_and_one_blank_are_needed(void **state) {
        (void)state;
        assert_text(" ", SSH_KEY_FAULT_FORM);
        assert_text("  ", SSH_KEY_FAULT_FORM);
        assert_text("ssh-ed25519", SSH_KEY_FAULT_FORM);
        assert_text("ssh-ed25519 ", SSH_KEY_FAULT_FORM);
        assert_text("ssh-ed25519  AAAA", SSH_KEY_FAULT_FORM);
        assert_text("ssh-ed25519-cert-v01@openssh.com ", SSH_KEY_FAULT_FORM);
        assert_text(" AAAA", SSH_KEY_FAULT_FORM);
        assert_text(strchr(ed25519, ' ') + 1, SSH_KEY_FAULT_FORM);
        assert_text(strchr(ed25519, ' '), SSH_KEY_FAULT_FORM);
}

static void anything_before_the_type_is_refused(void **state) {
        static const char *const options[] = {
                " ",
                "  ",
                "restrict ",
                "cert-authority ",
                "from=\"192.0.2.1\" ",
                "command=\"echo one two\",no-pty ",
                "command=\"echo ssh-rsa AAAA\" ",
                "restrict,expiry-time=\"20300101Z\" ",
                "@revoked ",
                "# ",
                "example.org ",
                "1024 ",
        };
        static const char *const keys[] = {ed25519, p256, p384, p521, rsa_2048, certificate, "ssh-dss AAAA", "ssh-rsa"};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(options); i++)
                for (size_t j = 0; j < ELEMENTS(keys); j++)
                        assert_joined(options[i], keys[j], "", SSH_KEY_FAULT_OPTIONS);
}

static void anything_after_the_base64_is_refused(void **state) {
        static const char *const comments[] = {" ", "  ", " alice@example.org", " ssh-rsa AAAA", " #", " a b"};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(comments); i++)
                assert_joined("", ed25519, comments[i], SSH_KEY_FAULT_COMMENT);
        assert_joined("ssh-rsa ", ed25519, "", SSH_KEY_FAULT_COMMENT);
}

static void a_certificate_is_refused(void **state) {
        struct blob blob = blob_of(certificate);
        struct ssh_key key;

        (void)state;
        assert_text(certificate, SSH_KEY_FAULT_CERTIFICATE);
        assert_int_equal(fault_of(false, blob.at, blob.n, &key), SSH_KEY_FAULT_CERTIFICATE);
        assert_joined("ecdsa-sha2-nistp256", strchr(certificate, ' '), "", SSH_KEY_FAULT_CERTIFICATE);
        assert_joined("ssh-rsa-cert-v01@openssh.com", strchr(rsa_2048, ' '), "", SSH_KEY_FAULT_CERTIFICATE);
        assert_joined("", certificate, " comment", SSH_KEY_FAULT_CERTIFICATE);
}

static void a_dss_key_is_refused(void **state) {
        struct blob blob = blob_of_parts("ssh-dss", 1, (struct bytes[]){of_text("\1")});

        (void)state;
        assert_blob(blob, "ssh-dss", SSH_KEY_FAULT_DSS);
        assert_blob(blob, "ssh-rsa", SSH_KEY_FAULT_DSS);
}

static void a_type_that_is_not_known_is_refused(void **state) {
        static const char *const types[] = {
                "",
                "ssh-ed2551",
                "ssh-ed255199",
                "SSH-ED25519",
                "Ssh-rsa",
                "rsa",
                "rsa-sha2-256",
                "ssh-ed448",
                "ssh-rsa1",
                "ssh-dss1",
                "-cert-v01@openssh.co",
                "ssh-mldsa44-ed25519@openssh.com",
                "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
                "sk-ssh-ed25519",
                "ecdsa-sha2-nistp224",
                "ecdsa-sha2-1.3.132.0.10",
        };
        struct bytes nul = of("ssh-rsa", sizeof("ssh-rsa"));
        struct blob with_nul;
        struct writer to = {.data = with_nul.at, .size = sizeof(with_nul.at)};
        struct ssh_key key;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(types); i++) {
                struct blob blob = blob_of_parts(types[i], 1, (struct bytes[]){of_text("\1")});

                assert_int_equal(fault_of(false, blob.at, blob.n, &key), SSH_KEY_FAULT_TYPE);
                if (types[i][0] != '\0')
                        assert_joined(types[i], strchr(ed25519, ' '), "", SSH_KEY_FAULT_TYPE);
        }
        writer_string(&to, nul.at, nul.left);
        assert_int_equal(fault_of(false, with_nul.at, to.used, &key), SSH_KEY_FAULT_TYPE);
}

static void base64_that_is_not_canonical_is_refused(void **state) {
        char text[sizeof(p256)];

        (void)state;
        /* This one ends in "c=": two bits of the 'c' are padding. */
        memcpy(text, p256, sizeof(p256));
        assert_int_equal(text[sizeof(p256) - 3], 'c');
        for (const char *c = "def"; *c != '\0'; c++) {
                text[sizeof(p256) - 3] = *c;
                assert_text(text, SSH_KEY_FAULT_BASE64);
        }
        assert_text_of(p256, sizeof(p256) - 2, SSH_KEY_FAULT_BASE64);
        assert_joined("", p256, "=", SSH_KEY_FAULT_BASE64);
        assert_joined("", ed25519, "====", SSH_KEY_FAULT_BASE64);
        assert_joined("", ed25519, "!", SSH_KEY_FAULT_BASE64);
        assert_text("ssh-ed25519 AAAA-_AA", SSH_KEY_FAULT_BASE64);
        assert_text("ssh-ed25519 =", SSH_KEY_FAULT_BASE64);
}

static void a_blank_inside_the_base64_is_refused(void **state) {
        const size_t type = strcspn(ed25519, " ") + 1, n = strlen(ed25519);

        (void)state;
        for (size_t place = type; place < n; place++) {
                char text[sizeof(ed25519) + 1];

                memcpy(text, ed25519, place);
                text[place] = ' ';
                memcpy(text + place + 1, ed25519 + place, n - place);
                assert_text_of(text, n + 1, place == type ? SSH_KEY_FAULT_FORM : SSH_KEY_FAULT_COMMENT);
        }
}

static void what_is_longer_than_any_key_is_refused(void **state) {
        char text[8 + 4096] = "ssh-rsa ";
        struct ssh_key key;

        (void)state;
        for (size_t n = SSH_KEY_BLOB_MAX - 3; n < SSH_KEY_BLOB_MAX + 9; n++) {
                struct blob blob = {.at = "\0\0\0\7ssh-rsa", .n = n};

                /* What is left are two empty strings and zeros behind them. */
                assert_blob(blob, "ssh-rsa", n > SSH_KEY_BLOB_MAX ? SSH_KEY_FAULT_SIZE : SSH_KEY_FAULT_TRAILING);
        }
        assert_blob(rsa_of_bits(16384, of(exponent_65537, 3)), "ssh-rsa", SSH_KEY_FAULT_SIZE);
        memset(text + 8, 'A', sizeof(text) - 8);
        assert_text_of(text, sizeof(text), SSH_KEY_FAULT_SIZE);
        assert_int_equal(ssh_key_from_blob((const uint8_t *)text, SIZE_MAX, &key), SSH_KEY_FAULT_SIZE);
}

static void a_blob_of_another_type_than_the_text_says_is_refused(void **state) {
        (void)state;
        for (size_t i = 0; i < SAMPLES; i++)
                for (int said = SSH_KEY_ED25519; said <= SSH_KEY_SK_ECDSA_P256; said++) {
                        enum ssh_key_type type;
                        struct blob blob = sample(i, &type);
                        const char *name = ssh_key_type_name((enum ssh_key_type)said);
                        char text[SSH_KEY_TEXT_MAX];

                        strcat(strcpy(text, name), " ");
                        base64_encode(blob.at, blob.n, text + strlen(text));
                        assert_text(text, (int)type == said ? SSH_KEY_OK : SSH_KEY_FAULT_TYPE_MISMATCH);
                }
        assert_text("ssh-ed25519 AAAAAWE=", SSH_KEY_FAULT_TYPE_MISMATCH);
        assert_text("ssh-ed25519 AAAAAA==", SSH_KEY_FAULT_TYPE_MISMATCH);
}

static void text_whose_base64_is_no_blob_is_refused(void **state) {
        (void)state;
        assert_text("ssh-ed25519 AAAA", SSH_KEY_FAULT_TRUNCATED);
        assert_text("ssh-ed25519 /////w==", SSH_KEY_FAULT_TRUNCATED);
        assert_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5", SSH_KEY_FAULT_TRUNCATED);
}

static void a_curve_of_another_type_is_refused(void **state) {
        static const char *const types[] = {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"};
        static const char *const curves[] = {"nistp256", "nistp384", "nistp521", "", "nistp", "nistp2560", "NISTP256"};
        struct blob key = blob_of(p256);

        (void)state;
        for (size_t i = 0; i < ELEMENTS(types); i++)
                for (size_t j = 0; j < ELEMENTS(curves); j++)
                        if (i != j)
                                assert_blob(ecdsa_of(types[i], curves[j], p256_point(&key)), types[i],
                                            SSH_KEY_FAULT_CURVE_MISMATCH);
        assert_blob(blob_of_parts("sk-ecdsa-sha2-nistp256@openssh.com", 3,
                                  (struct bytes[]){of_text("nistp384"), p256_point(&key), of_text("ssh:")}),
                    "sk-ecdsa-sha2-nistp256@openssh.com", SSH_KEY_FAULT_CURVE_MISMATCH);
}

static void a_point_that_is_not_uncompressed_or_of_another_size_is_refused(void **state) {
        struct blob key = blob_of(p256);
        uint8_t point[66];

        (void)state;
        memcpy(point, p256_point(&key).at, 65);
        point[65] = 0;
        for (size_t n = 0; n <= sizeof(point); n++)
                assert_blob(ecdsa_of("ecdsa-sha2-nistp256", "nistp256", of(point, n)), "ecdsa-sha2-nistp256",
                            n == 65 ? SSH_KEY_OK : SSH_KEY_FAULT_POINT);
        for (unsigned form = 0; form < 256; form++) {
                point[0] = (uint8_t)form;
                assert_blob(ecdsa_of("ecdsa-sha2-nistp256", "nistp256", of(point, 65)), "ecdsa-sha2-nistp256",
                            form == 4 ? SSH_KEY_OK : SSH_KEY_FAULT_POINT);
        }
        assert_blob(blob_of_parts("sk-ecdsa-sha2-nistp256@openssh.com", 3,
                                  (struct bytes[]){of_text("nistp256"), of_text(""), of_text("ssh:")}),
                    "sk-ecdsa-sha2-nistp256@openssh.com", SSH_KEY_FAULT_POINT);
        assert_blob(ecdsa_of("ecdsa-sha2-nistp521", "nistp521", p256_point(&key)), "ecdsa-sha2-nistp521",
                    SSH_KEY_FAULT_POINT);
}

static void an_ed25519_key_has_32_bytes(void **state) {
        (void)state;
        for (size_t n = 0; n <= 64; n++)
                assert_blob(ed25519_of_size(n), "ssh-ed25519", n == 32 ? SSH_KEY_OK : SSH_KEY_FAULT_ED25519_SIZE);
        assert_blob(blob_of_parts("sk-ssh-ed25519@openssh.com", 2, (struct bytes[]){of_text("short"), of_text("ssh:")}),
                    "sk-ssh-ed25519@openssh.com", SSH_KEY_FAULT_ED25519_SIZE);
}

static void an_mpint_that_is_empty_negative_or_padded_is_refused(void **state) {
        static const struct {
                const char *at;
                size_t n;
        } bad[] = {
                {"", 0},         {"\0", 1},       {"\0\0", 2}, {"\0\3", 2}, {"\0\x7f\xff", 3},
                {"\0\0\xff", 3}, {"\0\1\0\1", 4}, {"\x80", 1}, {"\xff", 1}, {"\x81\0\1", 3},
        };
        struct blob modulus = modulus_of_bits(2048), padded = {.n = modulus.n + 1};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                assert_blob(rsa_of_exponent(of(bad[i].at, bad[i].n)), "ssh-rsa", SSH_KEY_FAULT_MPINT);
                assert_blob(rsa_of(of(exponent_65537, 3), of(bad[i].at, bad[i].n)), "ssh-rsa", SSH_KEY_FAULT_MPINT);
        }

        /* As ssh-keygen writes it, with one zero more, and with one less: then the first bit makes it negative. */
        memcpy(padded.at + 1, modulus.at, modulus.n);
        assert_blob(rsa_of(of(exponent_65537, 3), of(modulus.at, modulus.n)), "ssh-rsa", SSH_KEY_OK);
        assert_blob(rsa_of(of(exponent_65537, 3), of(padded.at, padded.n)), "ssh-rsa", SSH_KEY_FAULT_MPINT);
        assert_blob(rsa_of(of(exponent_65537, 3), of(modulus.at + 1, modulus.n - 1)), "ssh-rsa", SSH_KEY_FAULT_MPINT);
}

static void the_rsa_exponent_is_odd_above_2_and_of_32_bits_at_most(void **state) {
        static const struct {
                const char *at;
                size_t n;
                enum ssh_key_fault expected;
        } exponents[] = {
                {"\1", 1, SSH_KEY_FAULT_RSA_EXPONENT},
                {"\2", 1, SSH_KEY_FAULT_RSA_EXPONENT},
                {"\3", 1, SSH_KEY_OK},
                {"\4", 1, SSH_KEY_FAULT_RSA_EXPONENT},
                {"\5", 1, SSH_KEY_OK},
                {"\x23", 1, SSH_KEY_OK},
                {"\0\xff", 2, SSH_KEY_OK},
                {"\1\0", 2, SSH_KEY_FAULT_RSA_EXPONENT},
                {"\1\0\0", 3, SSH_KEY_FAULT_RSA_EXPONENT},
                {"\1\0\1", 3, SSH_KEY_OK},
                {"\x7f\xff\xff\xff", 4, SSH_KEY_OK},
                {"\0\xff\xff\xff\xff", 5, SSH_KEY_OK},
                {"\0\xff\xff\xff\xfe", 5, SSH_KEY_FAULT_RSA_EXPONENT},
                {"\1\0\0\0\1", 5, SSH_KEY_FAULT_RSA_EXPONENT},
                {"\x7f\xff\xff\xff\xff\xff\xff\xff", 8, SSH_KEY_FAULT_RSA_EXPONENT},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(exponents); i++)
                assert_blob(rsa_of_exponent(of(exponents[i].at, exponents[i].n)), "ssh-rsa", exponents[i].expected);
}

static void the_rsa_modulus_has_2048_to_8192_bits(void **state) {
        static const struct {
                size_t bits;
                enum ssh_key_fault expected;
        } edges[] = {
                {8, SSH_KEY_FAULT_RSA_SHORT},
                {1024, SSH_KEY_FAULT_RSA_SHORT},
                {2040, SSH_KEY_FAULT_RSA_SHORT},
                {2041, SSH_KEY_FAULT_RSA_SHORT},
                {2047, SSH_KEY_FAULT_RSA_SHORT},
                {2048, SSH_KEY_OK},
                {2049, SSH_KEY_OK},
                {3072, SSH_KEY_OK},
                {8191, SSH_KEY_OK},
                {8192, SSH_KEY_OK},
                {8193, SSH_KEY_FAULT_RSA_LONG},
                {8200, SSH_KEY_FAULT_RSA_LONG},
        };

        (void)state;
        assert_text(rsa_1024, SSH_KEY_FAULT_RSA_SHORT);
        for (size_t i = 0; i < ELEMENTS(edges); i++)
                assert_blob(rsa_of_bits(edges[i].bits, of(exponent_65537, 3)), "ssh-rsa", edges[i].expected);
        assert_blob(rsa_of(of(exponent_65537, 3), of("\1", 1)), "ssh-rsa", SSH_KEY_FAULT_RSA_SHORT);
}

static void an_even_rsa_modulus_is_refused(void **state) {
        struct blob modulus = modulus_of_bits(2048);

        (void)state;
        modulus.at[modulus.n - 1] = 0xfe;
        assert_blob(rsa_of(of(exponent_65537, 3), of(modulus.at, modulus.n)), "ssh-rsa", SSH_KEY_FAULT_RSA_MODULUS);
}

static void an_application_begins_with_ssh_and_a_colon(void **state) {
        static const char *const bad[] = {"", "s", "ssh", "ssh;", "SSH:", " ssh:", "https://example.org", "webauthn"};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                assert_blob(sk_ed25519_for(of_text(bad[i])), "sk-ssh-ed25519@openssh.com", SSH_KEY_FAULT_APPLICATION);
                assert_blob(sk_ecdsa_for(of_text(bad[i])), "sk-ecdsa-sha2-nistp256@openssh.com",
                            SSH_KEY_FAULT_APPLICATION);
        }
        assert_blob(sk_ed25519_for(of_text("ssh:")), "sk-ssh-ed25519@openssh.com", SSH_KEY_OK);
        assert_blob(sk_ed25519_for(of_text("ssh: my \xc3\xa4")), "sk-ssh-ed25519@openssh.com", SSH_KEY_OK);
}

static void an_application_that_is_too_long_or_has_a_control_character_is_refused(void **state) {
        char application[SSH_KEY_APPLICATION_MAX + 1] = "ssh:";

        (void)state;
        memset(application + 4, 'x', sizeof(application) - 4);
        assert_blob(sk_ed25519_for(of(application, SSH_KEY_APPLICATION_MAX)), "sk-ssh-ed25519@openssh.com", SSH_KEY_OK);
        assert_blob(sk_ed25519_for(of(application, SSH_KEY_APPLICATION_MAX + 1)), "sk-ssh-ed25519@openssh.com",
                    SSH_KEY_FAULT_APPLICATION);
        for (unsigned c = 0; c < 256; c++) {
                char text[] = {'s', 's', 'h', ':', (char)c};

                assert_blob(sk_ed25519_for(of(text, sizeof(text))), "sk-ssh-ed25519@openssh.com",
                            c < 0x20 || c == 0x7f ? SSH_KEY_FAULT_APPLICATION : SSH_KEY_OK);
        }
}

static void every_fault_has_a_sentence_of_its_own(void **state) {
        (void)state;
        assert_string_equal(ssh_key_fault_text(SSH_KEY_OK), "no fault");
        for (int i = SSH_KEY_FAULT_EMPTY; i < SSH_KEY_FAULT_MAX_; i++) {
                const char *text = ssh_key_fault_text((enum ssh_key_fault)i);

                assert_non_null(text);
                assert_non_null(strstr(text, "; "));
                assert_int_not_equal(text[strlen(text) - 1], '.');
                for (int j = SSH_KEY_OK; j < i; j++)
                        assert_string_not_equal(text, ssh_key_fault_text((enum ssh_key_fault)j));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_type_is_taken_and_comes_back_as_it_was),
                cmocka_unit_test(the_text_is_the_one_that_ssh_keygen_wrote),
                cmocka_unit_test(the_longest_text_fits_its_memory),
                cmocka_unit_test(the_point_of_an_ecdsa_key_is_found_in_its_blob),
                cmocka_unit_test(a_blob_that_ends_early_is_refused_at_every_length),
                cmocka_unit_test(a_text_that_ends_early_is_refused_at_every_length),
                cmocka_unit_test(every_byte_behind_the_last_part_is_refused),
                cmocka_unit_test(a_length_field_with_any_one_bit_changed_is_refused),
                cmocka_unit_test(any_one_bit_changed_is_refused_or_kept_as_it_came),
                cmocka_unit_test(no_text_is_refused),
                cmocka_unit_test(what_is_not_printable_ascii_is_refused_at_every_place),
                cmocka_unit_test(two_words_and_one_blank_are_needed),
                cmocka_unit_test(anything_before_the_type_is_refused),
                cmocka_unit_test(anything_after_the_base64_is_refused),
                cmocka_unit_test(a_certificate_is_refused),
                cmocka_unit_test(a_dss_key_is_refused),
                cmocka_unit_test(a_type_that_is_not_known_is_refused),
                cmocka_unit_test(base64_that_is_not_canonical_is_refused),
                cmocka_unit_test(a_blank_inside_the_base64_is_refused),
                cmocka_unit_test(what_is_longer_than_any_key_is_refused),
                cmocka_unit_test(a_blob_of_another_type_than_the_text_says_is_refused),
                cmocka_unit_test(text_whose_base64_is_no_blob_is_refused),
                cmocka_unit_test(a_curve_of_another_type_is_refused),
                cmocka_unit_test(a_point_that_is_not_uncompressed_or_of_another_size_is_refused),
                cmocka_unit_test(an_ed25519_key_has_32_bytes),
                cmocka_unit_test(an_mpint_that_is_empty_negative_or_padded_is_refused),
                cmocka_unit_test(the_rsa_exponent_is_odd_above_2_and_of_32_bits_at_most),
                cmocka_unit_test(the_rsa_modulus_has_2048_to_8192_bits),
                cmocka_unit_test(an_even_rsa_modulus_is_refused),
                cmocka_unit_test(an_application_begins_with_ssh_and_a_colon),
                cmocka_unit_test(an_application_that_is_too_long_or_has_a_control_character_is_refused),
                cmocka_unit_test(every_fault_has_a_sentence_of_its_own),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
