/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/trust.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/file_time.h"
#include "tests/unit/scratch.h"
#include "tests/unit/signing.h"

#define FOREVER_AGO 1000000000 /* Unix seconds: long before anything changed here */

/* Linked with --wrap=reallocarray, --wrap=strdup, --wrap=fdopendir, --wrap=readdir, --wrap=fstatat, --wrap=read. */
static struct {
        int nth; /* of the listed directories that cannot be listed, 0: none, for this reason: */
        enum { NO_ARRAY, NO_COPY, NO_DIR, NO_ENTRY } reason;
        bool no_read;
        bool long_ago; /* every file seems to have been changed long ago, at one and the same time */
        bool coarse;   /* time stamps are of whole seconds */
} fault;
static int n_listed;

static bool fails(int reason) {
        return fault.nth > 0 && n_listed == fault.nth && (int)fault.reason == reason;
}

void *__real_reallocarray(void *array, size_t n, size_t size);
void *__wrap_reallocarray(void *array, size_t n, size_t size);
void *__wrap_reallocarray(void *array, size_t n, size_t size) {
        return fails(NO_ARRAY) ? NULL : __real_reallocarray(array, n, size);
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text) {
        return fails(NO_COPY) ? NULL : __real_strdup(text);
}

void *__real_fdopendir(int fd);
void *__wrap_fdopendir(int fd);
void *__wrap_fdopendir(int fd) {
        n_listed++;
        errno = ENOMEM;
        return fails(NO_DIR) ? NULL : __real_fdopendir(fd);
}

void *__real_readdir(void *dir);
void *__wrap_readdir(void *dir);
void *__wrap_readdir(void *dir) {
        errno = fails(NO_ENTRY) ? EIO : errno;
        return fails(NO_ENTRY) ? NULL : __real_readdir(dir);
}

int __real_fstatat(int fd, const char *name, struct stat *ret, int flags);
int __wrap_fstatat(int fd, const char *name, struct stat *ret, int flags);
int __wrap_fstatat(int fd, const char *name, struct stat *ret, int flags) {
        int r = __real_fstatat(fd, name, ret, flags);

        if (r == 0 && fault.long_ago)
                ret->st_mtim = ret->st_ctim = (struct timespec){.tv_sec = FOREVER_AGO};
        if (r == 0 && fault.coarse)
                ret->st_mtim.tv_nsec = ret->st_ctim.tv_nsec = 0;
        return r;
}

ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size) {
        if (!fault.no_read)
                return __real_read(fd, buffer, size);
        errno = EIO;
        return -1;
}

static EVP_PKEY *key[4]; /* Ed25519 */
static EVP_PKEY *p256, *p384, *rsa;
static struct trust_anchors anchors;
static char root[64], vendor[80], config[80], admin[96]; /* admin: what is below config */
static const char *credential;                           /* NULL: there is none */
static size_t n_notes;
static char noted[512], reason[256];

static void note(void *context, const char *path, const char *why) {
        assert_ptr_equal(context, &anchors);
        (void)snprintf(noted, sizeof(noted), "%s", path);
        (void)snprintf(reason, sizeof(reason), "%s", why);
        n_notes++;
}

static void refresh(void) {
        n_notes = 0;
        n_listed = 0;
        trust_refresh(&anchors, vendor, config, credential, note, &anchors);
}

static bool trusted(EVP_PKEY *one) {
        for (size_t i = 0; i < anchors.n; i++)
                if (EVP_PKEY_eq(anchors.anchor[i].key, one) == 1)
                        return true;
        return false;
}

static const char *path_of(const char *dir, const char *name) {
        static char path[256];

        (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
        return path;
}

static void put(const char *dir, const char *name, EVP_PKEY *one) {
        signing_write_anchor(path_of(dir, name), one);
}

static void put_text(const char *dir, const char *name, const char *text) {
        signing_write(path_of(dir, name), text);
}

static void make_dir(const char *path) {
        assert_int_equal(mkdir(path, 0755), 0);
        assert_int_equal(chmod(path, 0755), 0);
}

static int setup(void **state) {
        (void)state;
        memset(&fault, 0, sizeof(fault));
        credential = NULL;
        (void)snprintf(root, sizeof(root), "/tmp/exc-anchors-XXXXXX");
        assert_non_null(mkdtemp(root));
        assert_int_equal(chmod(root, 0755), 0);
        (void)snprintf(vendor, sizeof(vendor), "%s/vendor", root);
        (void)snprintf(config, sizeof(config), "%s/config", root);
        (void)snprintf(admin, sizeof(admin), "%s/trust.d", config);
        make_dir(vendor);
        make_dir(config);
        make_dir(admin);
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk) {
        (void)st;
        (void)kind;
        (void)walk;
        return remove(path);
}

static int teardown(void **state) {
        (void)state;
        scratch_become(0);
        memset(&fault, 0, sizeof(fault));
        trust_clear(&anchors);
        return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int setup_keys(void **state) {
        (void)state;
        for (size_t i = 0; i < 4; i++)
                key[i] = signing_ed25519((uint8_t)(i + 1));
        p256 = signing_ec("P-256");
        p384 = signing_ec("P-384");
        rsa = EVP_RSA_gen(2048);
        return rsa ? 0 : -1;
}

static int drop_keys(void **state) {
        (void)state;
        for (size_t i = 0; i < 4; i++)
                EVP_PKEY_free(key[i]);
        EVP_PKEY_free(p256);
        EVP_PKEY_free(p384);
        EVP_PKEY_free(rsa);
        return 0;
}

static void missing_directories_have_no_anchor(void **state) {
        (void)state;
        refresh();
        assert_int_equal(anchors.n, 0);
        assert_int_equal(n_notes, 0);
        assert_int_equal(rmdir(vendor), 0);
        assert_int_equal(rmdir(admin), 0);
        assert_int_equal(rmdir(config), 0);
        refresh();
        assert_int_equal(anchors.n, 0);
        assert_int_equal(n_notes, 0);
}

static void both_directories_and_algorithms_are_used(void **state) {
        (void)state;
        put(vendor, "a.pem", key[0]);
        put(vendor, "b.pem", p256);
        put(admin, "c.pem", key[1]);
        refresh();
        assert_int_equal(anchors.n, 3);
        assert_int_equal(n_notes, 0);
        assert_true(trusted(key[0]) && trusted(p256) && trusted(key[1]));
        /* In byte order, the administrator's first. */
        assert_string_equal(anchors.anchor[0].name, "c.pem");
        assert_string_equal(anchors.anchor[1].name, "a.pem");
        assert_string_equal(anchors.anchor[2].name, "b.pem");
}

static void only_visible_pem_files_are_used(void **state) {
        static const char *const names[] = {"a.pub", "pem", ".pem", ".a.pem", "a.pem~", "a.PEM", "a.pem.old"};

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                put(vendor, names[i], key[0]);
                put(admin, names[i], key[0]);
        }
        refresh();
        assert_int_equal(anchors.n, 0);
        assert_int_equal(n_notes, 0);
}

static void administrators_file_replaces_vendors(void **state) {
        (void)state;
        put(vendor, "a.pem", key[0]);
        put(vendor, "b.pem", key[1]);
        put(admin, "a.pem", key[2]);
        refresh();
        assert_int_equal(anchors.n, 2);
        assert_true(trusted(key[2]) && trusted(key[1]));
        assert_false(trusted(key[0]));
}

static void empty_file_masks(void **state) {
        (void)state;
        put(vendor, "a.pem", key[0]);
        put(vendor, "b.pem", key[1]);
        put_text(admin, "a.pem", "");
        refresh();
        assert_int_equal(anchors.n, 1);
        assert_true(trusted(key[1]));
        assert_int_equal(n_notes, 0);
}

static void link_to_dev_null_masks(void **state) {
        (void)state;
        put(vendor, "a.pem", key[0]);
        assert_int_equal(symlink("/dev/null", path_of(admin, "a.pem")), 0);
        refresh();
        assert_int_equal(anchors.n, 0);
        assert_int_equal(n_notes, 0);
        assert_int_equal(unlink(path_of(admin, "a.pem")), 0);
        refresh();
        assert_true(trusted(key[0]));
}

static void vendors_mask_does_not_mask_administrators(void **state) {
        (void)state;
        put_text(vendor, "a.pem", "");
        put(admin, "a.pem", key[0]);
        refresh();
        assert_true(trusted(key[0]));
}

static void many_names_are_masked(void **state) {
        (void)state;
        for (int i = 0; i < 3 * TRUST_ANCHORS_MAX; i++) {
                char name[32];

                (void)snprintf(name, sizeof(name), "%04d.pem", i);
                put_text(admin, name, "");
                put(vendor, name, key[0]);
        }
        refresh();
        assert_int_equal(anchors.n, 0);
        assert_int_equal(n_notes, 0);
}

/* Puts a file of that name beside a good one: it adds nothing, is noted, masks the vendor's, and harms no other. */
static void assert_adds_nothing_but_masks(const char *why) {
        put(vendor, "bad.pem", key[0]);
        put(vendor, "good.pem", key[1]);
        put(admin, "also-good.pem", p256);
        refresh();
        if (anchors.n != 2 || !trusted(key[1]) || !trusted(p256))
                fail_msg("%zu anchors with %s", anchors.n, why);
        assert_int_equal(n_notes, 1);
        assert_string_equal(noted, path_of(admin, "bad.pem"));
        assert_true(strlen(reason) > 0);
}

static void malformed_file_only_masks(void **state) {
        static const char begin[] = "-----BEGIN PUBLIC KEY-----\n", end[] = "-----END PUBLIC KEY-----\n";
        char *good = signing_pem(key[2]), text[8][1024];

        (void)state;
        (void)snprintf(text[0], 1024, "\n");
        (void)snprintf(text[1], 1024, "no key at all\n");
        (void)snprintf(text[2], 1024, "%s%s", begin, end);
        (void)snprintf(text[3], 1024, "%sMCowBQYDK2VwAyEA\n%s", begin, end);
        (void)snprintf(text[4], 1024, "%s", good);
        text[4][strlen(good) - 10] = '\0';
        (void)snprintf(text[5], 1024, "%sssh-ed25519 AAAA", good);
        (void)snprintf(text[6], 1024,
                       "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKj9Ne19cX0N0GriPChvaudeZoS7d4sWrB72aqPpTape");
        (void)snprintf(text[7], 1024, "%s!!!!\n%s", begin, end);
        for (size_t i = 0; i < 8; i++) {
                put_text(admin, "bad.pem", text[i]);
                assert_adds_nothing_but_masks(text[i]);
        }
        free(good);
}

static void file_with_two_keys_only_masks(void **state) {
        char *one = signing_pem(key[2]), *other = signing_pem(key[3]), text[1024];

        (void)state;
        (void)snprintf(text, sizeof(text), "%s%s", one, other);
        put_text(admin, "bad.pem", text);
        assert_adds_nothing_but_masks("two keys");
        assert_non_null(strstr(reason, "one key per file"));
        free(one);
        free(other);
}

static void blanks_after_key_are_ignored(void **state) {
        char *pem = signing_pem(key[2]), text[1024];

        (void)state;
        (void)snprintf(text, sizeof(text), "%s\r\n \t\n", pem);
        put_text(admin, "a.pem", text);
        refresh();
        assert_true(trusted(key[2]));
        free(pem);
}

static void nul_after_key_is_refused(void **state) {
        char *pem = signing_pem(key[2]);
        FILE *file;

        (void)state;
        put_text(admin, "bad.pem", pem);
        file = fopen(path_of(admin, "bad.pem"), "ae");
        assert_non_null(file);
        assert_int_equal(fputc('\0', file), 0);
        assert_int_equal(fclose(file), 0);
        assert_adds_nothing_but_masks("a NUL");
        free(pem);
}

static void other_key_types_are_refused(void **state) {
        EVP_PKEY *x25519 = EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), *ed448 = EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
        EVP_PKEY *secp256k1 = signing_ec("secp256k1");
        EVP_PKEY *const others[] = {rsa, p384, x25519, ed448, secp256k1};

        (void)state;
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
                put(admin, "bad.pem", others[i]);
                assert_adds_nothing_but_masks(EVP_PKEY_get0_type_name(others[i]));
                assert_non_null(strstr(reason, "expected an Ed25519 or ECDSA P-256 key"));
        }
        EVP_PKEY_free(x25519);
        EVP_PKEY_free(ed448);
        EVP_PKEY_free(secp256k1);
}

static void private_key_is_refused(void **state) {
        FILE *file;

        (void)state;
        put_text(admin, "bad.pem", "x");
        file = fopen(path_of(admin, "bad.pem"), "we");
        assert_non_null(file);
        assert_int_equal(PEM_write_PrivateKey(file, key[2], NULL, NULL, 0, NULL, NULL), 1);
        assert_int_equal(fclose(file), 0);
        assert_adds_nothing_but_masks("a private key");
}

/* A P-256 key whose point is the one byte 00 (SEC 1 section 2.3.3): anybody can sign for it. */
static void point_at_infinity_is_refused(void **state) {
        (void)state;
        put_text(admin, "bad.pem",
                 "-----BEGIN PUBLIC KEY-----\n"
                 "MBkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDAgAA\n"
                 "-----END PUBLIC KEY-----\n");
        assert_adds_nothing_but_masks("the point at infinity");
}

/* An Ed25519 key whose point is the neutral one: anybody can sign for it (ed25519_test.c). */
static void key_of_low_order_is_refused(void **state) {
        (void)state;
        put_text(admin, "bad.pem",
                 "-----BEGIN PUBLIC KEY-----\n"
                 "MCowBQYDK2VwAyEAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
                 "-----END PUBLIC KEY-----\n");
        assert_adds_nothing_but_masks("a key of low order");
}

static void too_long_file_only_masks(void **state) {
        char *pem = signing_pem(key[2]), *text = malloc(TRUST_FILE_MAX + 2);
        size_t n = strlen(pem);

        (void)state;
        assert_non_null(text);
        memset(text, '\n', TRUST_FILE_MAX + 1);
        memcpy(text, pem, n);
        text[TRUST_FILE_MAX + 1] = '\0';
        put_text(admin, "bad.pem", text);
        assert_adds_nothing_but_masks("one byte too many");
        text[TRUST_FILE_MAX] = '\0';
        put_text(admin, "bad.pem", text);
        refresh();
        assert_true(trusted(key[2]));
        free(text);
        free(pem);
}

static void unsafe_owner_or_mode_only_masks(void **state) {
        static const mode_t modes[] = {0664, 0646, 0620, 0602, 0666};

        (void)state;
        put(admin, "bad.pem", key[2]);
        for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
                assert_int_equal(chmod(path_of(admin, "bad.pem"), modes[i]), 0);
                assert_adds_nothing_but_masks("a mode");
        }
        assert_int_equal(chmod(path_of(admin, "bad.pem"), 0644), 0);
        assert_int_equal(chown(path_of(admin, "bad.pem"), SCRATCH_OTHER, 0), 0);
        assert_adds_nothing_but_masks("another owner");
        assert_int_equal(chown(path_of(admin, "bad.pem"), 0, SCRATCH_OTHER), 0);
        refresh();
        assert_true(trusted(key[2]));
}

static void special_file_only_masks(void **state) {
        (void)state;
        make_dir(path_of(admin, "bad.pem"));
        assert_adds_nothing_but_masks("a directory");
        assert_int_equal(rmdir(path_of(admin, "bad.pem")), 0);
        assert_int_equal(mkfifo(path_of(admin, "bad.pem"), 0644), 0);
        assert_adds_nothing_but_masks("a fifo");
        assert_int_equal(unlink(path_of(admin, "bad.pem")), 0);
        assert_int_equal(symlink("/dev/zero", path_of(admin, "bad.pem")), 0);
        assert_adds_nothing_but_masks("another device");
        assert_int_equal(unlink(path_of(admin, "bad.pem")), 0);
        assert_int_equal(symlink("nowhere", path_of(admin, "bad.pem")), 0);
        assert_adds_nothing_but_masks("a link to nowhere");
}

static void symlink_is_followed(void **state) {
        (void)state;
        put(root, "elsewhere", key[2]);
        assert_int_equal(symlink("../../elsewhere", path_of(admin, "a.pem")), 0);
        refresh();
        assert_true(trusted(key[2]));
}

static void unreadable_file_only_masks(void **state) {
        (void)state;
        put(admin, "bad.pem", key[2]);
        assert_int_equal(chmod(path_of(admin, "bad.pem"), 0600), 0);
        put(vendor, "bad.pem", key[0]);
        put(vendor, "good.pem", key[1]);
        scratch_become(SCRATCH_AGENT);
        refresh();
        assert_int_equal(anchors.n, 1);
        assert_true(trusted(key[1]));
        assert_int_equal(n_notes, 1);
        scratch_become(0);
        fault.no_read = true;
        assert_int_equal(unlink(path_of(vendor, "good.pem")), 0);
        refresh();
        assert_int_equal(anchors.n, 0);
        assert_int_equal(n_notes, 1);
        assert_string_equal(reason, strerror(EIO));
}

static void unsafe_vendor_directory_has_no_anchor(void **state) {
        (void)state;
        put(vendor, "a.pem", key[0]);
        put(admin, "b.pem", key[1]);
        assert_int_equal(chmod(vendor, 0775), 0);
        refresh();
        assert_int_equal(anchors.n, 1);
        assert_true(trusted(key[1]));
        assert_int_equal(n_notes, 1);
        assert_string_equal(noted, vendor);
        assert_int_equal(chmod(vendor, 0755), 0);
        assert_int_equal(chown(vendor, SCRATCH_OTHER, 0), 0);
        refresh();
        assert_false(trusted(key[0]));
        assert_int_equal(chown(vendor, 0, 0), 0);
        refresh();
        assert_true(trusted(key[0]));
}

/* It is unknown what is masked there, or others could have unmasked it. */
static void unsafe_administrators_directory_disables_all(void **state) {
        (void)state;
        put(vendor, "a.pem", key[0]);
        put(admin, "b.pem", key[1]);
        put_text(admin, "a.pem", "");
        assert_int_equal(chmod(admin, 0777), 0);
        refresh();
        assert_int_equal(anchors.n, 0);
        assert_int_equal(n_notes, 1);
        assert_int_equal(chmod(admin, 0755), 0);
        assert_int_equal(chown(admin, SCRATCH_OTHER, 0), 0);
        refresh();
        assert_int_equal(anchors.n, 0);
        assert_int_equal(chown(admin, 0, 0), 0);
        assert_int_equal(chmod(admin, 0700), 0);
        scratch_become(SCRATCH_AGENT);
        refresh();
        assert_int_equal(anchors.n, 0);
        assert_int_equal(n_notes, 1);
        assert_string_equal(reason, strerror(EACCES));
        scratch_become(0);
        refresh();
        assert_int_equal(anchors.n, 1);
        assert_true(trusted(key[1]));
}

static void administrators_directory_that_is_file_disables_all(void **state) {
        (void)state;
        put(vendor, "a.pem", key[0]);
        assert_int_equal(rmdir(admin), 0);
        signing_write(admin, "");
        refresh();
        assert_int_equal(anchors.n, 0);
        assert_int_equal(n_notes, 1);
        assert_string_equal(noted, admin);
        assert_int_equal(unlink(admin), 0);
        refresh();
        assert_true(trusted(key[0]));
}

static void failed_listing_disables_all(void **state) {
        (void)state;
        put(vendor, "a.pem", key[0]);
        put_text(admin, "a.pem", "");
        put_text(admin, "b.pem", "");
        for (int cause = NO_ARRAY; cause <= NO_ENTRY; cause++) {
                fault.reason = (unsigned)cause;
                for (fault.nth = 1; fault.nth <= 2; fault.nth++) {
                        trust_clear(&anchors);
                        refresh();
                        assert_int_equal(anchors.n, 0);
                        assert_int_equal(n_notes, 1);
                        /* It may pass. */
                        refresh();
                        assert_int_equal(anchors.n, 0);
                        assert_int_equal(n_notes, 0);
                }
        }
        memset(&fault, 0, sizeof(fault));
        assert_int_equal(unlink(path_of(admin, "a.pem")), 0);
        refresh();
        assert_int_equal(anchors.n, 1);
}

static void number_of_anchors_is_limited(void **state) {
        (void)state;
        for (int i = 0; i < TRUST_ANCHORS_MAX + 2; i++) {
                char name[32];

                (void)snprintf(name, sizeof(name), "%04d.pem", i);
                put(admin, name, key[i % 4]);
        }
        put(vendor, "0000.pem", p256);
        put(vendor, "z.pem", p256);
        refresh();
        assert_int_equal(anchors.n, TRUST_ANCHORS_MAX);
        assert_int_equal(n_notes, 3);
        assert_false(trusted(p256));
}

static void changes_are_seen_without_restart(void **state) {
        (void)state;
        put(admin, "a.pem", key[0]);
        refresh();
        assert_true(trusted(key[0]));
        put(admin, "b.pem", key[1]);
        refresh();
        assert_true(trusted(key[0]) && trusted(key[1]));
        put(admin, "a.pem", key[2]);
        refresh();
        assert_true(trusted(key[2]) && trusted(key[1]));
        assert_false(trusted(key[0]));
        assert_int_equal(unlink(path_of(admin, "b.pem")), 0);
        refresh();
        assert_int_equal(anchors.n, 1);
        put_text(admin, "a.pem", "");
        refresh();
        assert_int_equal(anchors.n, 0);
        put(vendor, "v.pem", key[3]);
        refresh();
        assert_true(trusted(key[3]));
}

/* The kernel's time stamps stand still for milliseconds, and on some file systems for seconds. */
static void file_written_twice_at_once_is_seen(void **state) {
        (void)state;
        fault.coarse = true;
        for (int i = 0; i < 400; i++) {
                put(admin, "a.pem", key[i % 4]);
                refresh();
                assert_int_equal(anchors.n, 1);
                assert_true(trusted(key[i % 4]));
        }
}

static void settled_files_are_not_read_again(void **state) {
        EVP_PKEY *loaded;

        (void)state;
        fault.long_ago = true;
        put(admin, "a.pem", key[0]);
        put_text(admin, "b.pem", "no key");
        refresh();
        assert_int_equal(anchors.n, 1);
        assert_int_equal(n_notes, 1);
        loaded = anchors.anchor[0].key;
        refresh();
        assert_ptr_equal(anchors.anchor[0].key, loaded);
        assert_int_equal(n_notes, 0);
        put_text(admin, "a.pem", "");
        refresh();
        assert_int_equal(anchors.n, 0);
}

static void changed_mode_or_owner_is_seen(void **state) {
        (void)state;
        fault.long_ago = true;
        put(admin, "a.pem", key[0]);
        refresh();
        assert_int_equal(anchors.n, 1);
        assert_int_equal(chmod(path_of(admin, "a.pem"), 0666), 0);
        refresh();
        assert_int_equal(anchors.n, 0);
        assert_int_equal(chmod(path_of(admin, "a.pem"), 0644), 0);
        refresh();
        assert_int_equal(anchors.n, 1);
        assert_int_equal(chown(path_of(admin, "a.pem"), SCRATCH_OTHER, 0), 0);
        refresh();
        assert_int_equal(anchors.n, 0);
}

/* Loads long after the last change. */
static void settle(void) {
        file_time_tick();
        refresh();
        anchors.files.unsettled = false;
}

static void change_of_settled_files_is_seen(void **state) {
        char from[256];

        (void)state;
        put(admin, "a.pem", key[0]);
        put(vendor, "v.pem", key[1]);
        settle();
        assert_int_equal(anchors.n, 2);
        /* in place, of the same size */
        put(admin, "a.pem", key[2]);
        settle();
        assert_true(trusted(key[2]));
        assert_false(trusted(key[0]));
        /* new */
        put(admin, "b.pem", key[0]);
        settle();
        assert_true(trusted(key[0]));
        put(vendor, "w.pem", p256);
        settle();
        assert_true(trusted(p256));
        /* replaced */
        put(root, "new", key[3]);
        (void)snprintf(from, sizeof(from), "%s", path_of(root, "new"));
        assert_int_equal(rename(from, path_of(admin, "b.pem")), 0);
        settle();
        assert_true(trusted(key[3]));
        assert_false(trusted(key[0]));
        /* a link with another target */
        put(root, "elsewhere", key[0]);
        assert_int_equal(symlink("../../elsewhere", path_of(root, "new")), 0);
        (void)snprintf(from, sizeof(from), "%s", path_of(root, "new"));
        assert_int_equal(rename(from, path_of(admin, "b.pem")), 0);
        settle();
        assert_true(trusted(key[0]));
        put(root, "elsewhere", key[3]);
        settle();
        assert_true(trusted(key[3]));
        assert_false(trusted(key[0]));
        /* removed, and masked */
        assert_int_equal(unlink(path_of(admin, "b.pem")), 0);
        settle();
        assert_false(trusted(key[3]));
        put_text(admin, "w.pem", "");
        settle();
        assert_false(trusted(p256));
        assert_int_equal(anchors.n, 2);
        /* directories that others may write */
        assert_int_equal(chmod(vendor, 0777), 0);
        settle();
        assert_int_equal(anchors.n, 1);
        assert_int_equal(chmod(admin, 0777), 0);
        settle();
        assert_int_equal(anchors.n, 0);
        assert_int_equal(chmod(admin, 0755), 0);
        settle();
        assert_int_equal(anchors.n, 1);
        assert_int_equal(chown(admin, SCRATCH_OTHER, 0), 0);
        settle();
        assert_int_equal(anchors.n, 0);
        assert_int_equal(chown(admin, 0, 0), 0);
        assert_int_equal(chmod(vendor, 0755), 0);
        settle();
        assert_int_equal(anchors.n, 2);
}

static void note_callback_is_optional(void **state) {
        (void)state;
        put_text(admin, "a.pem", "no key");
        put(admin, "b.pem", key[0]);
        assert_int_equal(chmod(vendor, 0777), 0);
        trust_refresh(&anchors, vendor, config, NULL, NULL, NULL);
        assert_int_equal(anchors.n, 1);
}

static void cleared_anchors_are_loaded_again(void **state) {
        (void)state;
        fault.long_ago = true;
        put(admin, "a.pem", key[0]);
        refresh();
        trust_clear(&anchors);
        assert_int_equal(anchors.n, 0);
        refresh();
        assert_int_equal(anchors.n, 1);
}

/* --- the credential ------------------------------------------------------------------------------------------------- */

/* A bundle of the first `n` keys, with `more` behind them. */
static void give_credential(size_t n, const char *more) {
        static char path[256];
        char text[4096] = "# of the host\n";

        (void)snprintf(path, sizeof(path), "%s/exc.trust", root);
        for (size_t i = 0; i < n; i++) {
                char one[512];
                ssize_t length;
                int fd;

                put(root, "one.pem", key[i]);
                fd = open(path_of(root, "one.pem"), O_RDONLY);
                length = __real_read(fd, one, sizeof(one) - 1);
                assert_true(length > 0);
                one[length] = '\0';
                assert_int_equal(close(fd), 0);
                assert_int_equal(unlink(path_of(root, "one.pem")), 0);
                (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s", one);
        }
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s", more);
        signing_write(path, text);
        credential = path;
}

static void credential_counts_without_another_anchor(void **state) {
        (void)state;
        give_credential(2, "");
        refresh();
        assert_int_equal(anchors.n, 2);
        assert_true(trusted(key[0]) && trusted(key[1]));
        assert_true(anchors.anchor[0].credential && !anchors.anchor[0].vendor);
        assert_string_equal(anchors.anchor[1].name, "exc.trust.2.pem");
        assert_int_equal(n_notes, 0);
        put(vendor, "a.pem", key[2]);
        refresh();
        assert_int_equal(anchors.n, 1);
        assert_true(trusted(key[2]));
        /* What is masked is no anchor. */
        put_text(admin, "a.pem", "");
        refresh();
        assert_int_equal(anchors.n, 2);
        put(admin, "b.pem", key[3]);
        refresh();
        assert_int_equal(anchors.n, 1);
        assert_true(trusted(key[3]) && !anchors.anchor[0].credential);
}

static void credential_that_is_turned_off_counts_no_more(void **state) {
        (void)state;
        give_credential(1, "");
        fault.long_ago = true;
        refresh();
        assert_int_equal(anchors.n, 1);
        credential = NULL;
        refresh();
        assert_int_equal(anchors.n, 0);
}

static void missing_credential_is_no_anchor(void **state) {
        (void)state;
        credential = "/nowhere/exc.trust";
        refresh();
        assert_int_equal(anchors.n, 0);
        assert_int_equal(n_notes, 0);
        give_credential(1, "");
        refresh();
        assert_int_equal(anchors.n, 1);
}

/* A bundle is believed as a whole. */
static void malformed_credential_adds_nothing(void **state) {
        static const char *const more[] = {"text", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
                                           "-----BEGIN PUBLIC KEY-----\n",
                                           "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"};

        (void)state;
        for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
                give_credential(2, more[i]);
                refresh();
                assert_int_equal(anchors.n, 0);
                assert_int_equal(n_notes, 1);
                assert_string_equal(noted, credential);
        }
        give_credential(0, "");
        refresh();
        assert_int_equal(anchors.n, 0);
        assert_non_null(strstr(reason, "expected PEM public keys"));
}

static void directory_that_cannot_be_judged_keeps_the_credential_out(void **state) {
        (void)state;
        give_credential(1, "");
        assert_int_equal(chmod(vendor, 0777), 0);
        refresh();
        assert_int_equal(anchors.n, 0);
        assert_int_equal(chmod(vendor, 0755), 0);
        assert_int_equal(chmod(admin, 0777), 0);
        refresh();
        assert_int_equal(anchors.n, 0);
        assert_int_equal(chmod(admin, 0755), 0);
        refresh();
        assert_int_equal(anchors.n, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(missing_directories_have_no_anchor),
                TEST(both_directories_and_algorithms_are_used),
                TEST(only_visible_pem_files_are_used),
                TEST(administrators_file_replaces_vendors),
                TEST(empty_file_masks),
                TEST(link_to_dev_null_masks),
                TEST(vendors_mask_does_not_mask_administrators),
                TEST(many_names_are_masked),
                TEST(malformed_file_only_masks),
                TEST(file_with_two_keys_only_masks),
                TEST(blanks_after_key_are_ignored),
                TEST(nul_after_key_is_refused),
                TEST(other_key_types_are_refused),
                TEST(private_key_is_refused),
                TEST(point_at_infinity_is_refused),
                TEST(key_of_low_order_is_refused),
                TEST(too_long_file_only_masks),
                TEST(unsafe_owner_or_mode_only_masks),
                TEST(special_file_only_masks),
                TEST(symlink_is_followed),
                TEST(unreadable_file_only_masks),
                TEST(unsafe_vendor_directory_has_no_anchor),
                TEST(unsafe_administrators_directory_disables_all),
                TEST(administrators_directory_that_is_file_disables_all),
                TEST(failed_listing_disables_all),
                TEST(number_of_anchors_is_limited),
                TEST(changes_are_seen_without_restart),
                TEST(file_written_twice_at_once_is_seen),
                TEST(settled_files_are_not_read_again),
                TEST(changed_mode_or_owner_is_seen),
                TEST(change_of_settled_files_is_seen),
                TEST(note_callback_is_optional),
                TEST(cleared_anchors_are_loaded_again),
                TEST(credential_counts_without_another_anchor),
                TEST(credential_that_is_turned_off_counts_no_more),
                TEST(missing_credential_is_no_anchor),
                TEST(malformed_credential_adds_nothing),
                TEST(directory_that_cannot_be_judged_keeps_the_credential_out),
        };

        return cmocka_run_group_tests(tests, setup_keys, drop_keys);
}
