/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/store_internal.h"
#include "tests/unit/scratch.h"

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

static char root[64];
static struct store store = STORE_INIT;

static int mount_store(const char *options) {
        char why[256];

        scratch_mount_store(options, root);
        scratch_become(SCRATCH_AGENT);
        return store_open(root, STORE_AGENT, &store, why);
}

/* Each test runs with the agent's rights and a new store. */
static int set_up(void **state) {
        (void)state;
        return mount_store("mode=0755,size=1m");
}

static int tear_down(void **state) {
        (void)state;
        (void)umask(022);
        store_close(&store);
        scratch_become(0);
        scratch_unmount_store(root);
        return 0;
}

/* A path below the store; the last few asked for stay. */
__attribute__((format(printf, 1, 2))) static const char *below(const char *format, ...) {
        static char paths[4][1024];
        static unsigned next;
        char *path = paths[next++ % ELEMENTS(paths)];
        size_t n = (size_t)snprintf(path, sizeof(paths[0]), "%s/", root);
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(path + n, sizeof(paths[0]) - n, format, arguments);
        va_end(arguments);
        return path;
}

static const char *repeated(char c, size_t n) {
        static char texts[4][STORE_ID_MAX];
        static unsigned next;
        char *text = texts[next++ % ELEMENTS(texts)];

        memset(text, c, n);
        text[n] = '\0';
        return text;
}

#define FINGERPRINT(c) repeated(c, STORE_FINGERPRINT_NAME_MAX - 1)
#define ID(c) repeated(c, STORE_ID_MAX - 1)
#define KEY_PATH(user, fingerprint, id) below("keys/%s/%s/%s", user, FINGERPRINT(fingerprint), ID(id))
#define CLAIM_PATH(user, id) below("claims/%s/%s", user, ID(id))

static struct store_place place_of(const char *user, char fingerprint, char id) {
        struct store_place place;

        assert_true(store_user_name(user, place.user));
        scratch_fingerprint(fingerprint, place.fingerprint);
        scratch_id(id, place.id);
        return place;
}

/* One key for each character of `fingerprints`. */
static int publish_as(const struct grant *grant, char id, const char *fingerprints) {
        struct store_key keys[8];
        size_t n = strlen(fingerprints);

        for (size_t i = 0; i < n; i++)
                keys[i] = scratch_store_key(fingerprints[i]);
        return store_publish(&store, ID(id), grant, keys, n);
}

static int publish(const char *user, char id, const char *fingerprints) {
        struct grant grant = scratch_grant(user, 2, 0);

        return publish_as(&grant, id, fingerprints);
}

static bool exists(const char *path) {
        struct stat st;

        return lstat(path, &st) == 0;
}

static bool folder_empty(const char *path) {
        DIR *folder = opendir(path);
        unsigned n = 0;

        assert_non_null(folder);
        while (readdir(folder))
                n++;
        assert_int_equal(closedir(folder), 0);
        return n == 2;
}

static bool store_empty(void) {
        return folder_empty(below("keys")) && folder_empty(below("claims"));
}

/* Whether the grant counts: a key that can be read, and a claim file. */
static bool counts(const char *user, char fingerprint, char id) {
        struct store_place place = place_of(user, fingerprint, id);
        struct ssh_key expected = scratch_key((uint8_t)fingerprint);
        struct grant grant;
        int fd;

        if (store_read(&store, &place, &grant) < 0)
                return false;
        assert_string_equal(grant.user, user);
        assert_memory_equal(grant.key.blob, expected.blob, expected.blob_length);
        fd = store_open_claim(&store, &place, O_RDONLY);
        if (fd < 0)
                return false;
        assert_int_equal(claim_count(fd, grant.connections), 0);
        assert_int_equal(close(fd), 0);
        return true;
}

static unsigned open_descriptors(void) {
        DIR *folder = opendir("/proc/self/fd");
        unsigned n = 0;

        assert_non_null(folder);
        while (readdir(folder))
                n++;
        assert_int_equal(closedir(folder), 0);
        return n;
}

/* Opening: each wrong thing. */

static void assert_not_opened(const char *path, enum store_side side, int expected, const char *named,
                              const char *reason) {
        struct store other = {.root_fd = 70, .keys_fd = 71, .claims_fd = 72, .state_fd = 73, .owner = 74};
        unsigned before = open_descriptors();
        char why[256] = "";
        int r;

        r = store_open(path, side, &other, why);
        if (r != expected || !strstr(why, named) || !strstr(why, reason))
                fail_msg("%s: %d \"%s\" and not %d \"%s … %s\"", path, r, why, expected, named, reason);
        assert_int_equal(other.keys_fd, 71);
        assert_int_equal(other.claims_fd, 72);
        assert_int_equal(other.state_fd, 73);
        assert_int_equal(other.owner, 74);
        assert_int_equal(open_descriptors(), before);
}

static void the_agent_opens_what_is_its_own(void **state) {
        (void)state;
        assert_true(store.keys_fd >= 0 && store.claims_fd >= 0 && store.state_fd >= 0);
        assert_int_equal(store.owner, SCRATCH_AGENT);
        assert_true(fcntl(store.keys_fd, F_GETFD) & FD_CLOEXEC);
        assert_true(fcntl(store.claims_fd, F_GETFD) & FD_CLOEXEC);
        assert_true(fcntl(store.state_fd, F_GETFD) & FD_CLOEXEC);
}

static void a_store_is_closed_once_and_again(void **state) {
        unsigned before = open_descriptors();

        (void)state;
        store_close(&store);
        assert_int_equal(open_descriptors(), before - 4);
        assert_int_equal(store.keys_fd, -EBADF);
        store_close(&store);
        assert_int_equal(open_descriptors(), before - 4);
}

static void the_helper_opens_it_without_state(void **state) {
        struct store other;
        char why[256];

        (void)state;
        scratch_become(0);
        assert_int_equal(rmdir(below("state")), 0);
        scratch_become(SCRATCH_HELPER);
        assert_int_equal(store_open(root, STORE_HELPER, &other, why), 0);
        assert_int_equal(other.state_fd, -EBADF);
        assert_int_equal(other.owner, SCRATCH_AGENT);
        store_close(&other);
        scratch_become(SCRATCH_AGENT);
        assert_not_opened(root, STORE_AGENT, -ENOENT, below("state"), "cannot be opened");
}

static void a_stranger_cannot_open_it(void **state) {
        (void)state;
        scratch_become(SCRATCH_OTHER);
        assert_not_opened(root, STORE_HELPER, -EACCES, below("keys"), "cannot be opened");
        assert_not_opened(root, STORE_AGENT, -EACCES, below("keys"), "cannot be opened");
}

static void another_user_is_not_taken_for_the_agent(void **state) {
        (void)state;
        scratch_become(0);
        assert_not_opened(root, STORE_AGENT, -EPERM, below("keys"), "belongs to user id 60001, not to 0");
}

static void a_runtime_folder_that_is_not_in_memory_is_refused(void **state) {
        (void)state;
        scratch_become(0);
        assert_not_opened("/proc", STORE_AGENT, -EPERM, "/proc", "not on a tmpfs");
        assert_not_opened("/proc", STORE_HELPER, -EPERM, "/proc", "not on a tmpfs");
}

static void a_folder_of_the_store_that_is_not_in_memory_is_refused(void **state) {
        static const char *const names[] = {"keys", "claims", "state"};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                scratch_become(0);
                assert_int_equal(mount("/proc/self", below("%s", names[i]), NULL, MS_BIND, NULL), 0);
                scratch_become(SCRATCH_AGENT);
                assert_not_opened(root, STORE_AGENT, -EPERM, below("%s", names[i]), "not on a tmpfs");
                scratch_become(0);
                assert_int_equal(umount2(below("%s", names[i]), MNT_DETACH), 0);
        }
}

static void a_ramfs_is_memory_too(void **state) {
        struct store other;
        char why[256];

        (void)state;
        scratch_become(0);
        assert_int_equal(mount("ramfs", root, "ramfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755"), 0);
        scratch_make_folder(root, "keys", SCRATCH_AGENT, SCRATCH_HELPER, 02750);
        scratch_make_folder(root, "claims", SCRATCH_AGENT, SCRATCH_HELPER, 02750);
        scratch_become(SCRATCH_HELPER);
        assert_int_equal(store_open(root, STORE_HELPER, &other, why), 0);
        store_close(&other);
        scratch_become(0);
        assert_int_equal(umount2(root, MNT_DETACH), 0);
}

static void a_runtime_folder_that_others_can_write_is_refused(void **state) {
        static const mode_t modes[] = {0775, 0757, 0777, 01777, 0720, 0702};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(modes); i++) {
                scratch_become(0);
                assert_int_equal(chmod(root, modes[i]), 0);
                assert_not_opened(root, STORE_HELPER, -EPERM, root, "writable by root alone");
        }
        assert_int_equal(chmod(root, 0755), 0);
        assert_int_equal(chown(root, SCRATCH_AGENT, SCRATCH_AGENT), 0);
        assert_not_opened(root, STORE_HELPER, -EPERM, root, "must be root's");
        scratch_become(SCRATCH_AGENT);
        assert_not_opened(root, STORE_AGENT, -EPERM, root, "must be root's");
}

static void a_runtime_folder_that_is_none_is_refused(void **state) {
        char link[80], file[80];

        (void)state;
        scratch_become(0);
        (void)snprintf(link, sizeof(link), "%s.link", root);
        (void)snprintf(file, sizeof(file), "%s/file", root);
        assert_int_equal(symlink(root, link), 0);
        assert_not_opened(link, STORE_HELPER, -ENOTDIR, link, "cannot be opened");
        assert_int_equal(unlink(link), 0);
        assert_not_opened(link, STORE_HELPER, -ENOENT, link, "cannot be opened");
        assert_int_equal(mknod(file, S_IFREG | 0644, 0), 0);
        assert_not_opened(file, STORE_HELPER, -ENOTDIR, file, "cannot be opened");
}

static void each_folder_must_be_what_the_table_says(void **state) {
        static const struct {
                const char *name;
                mode_t mode;
                mode_t wrong[5];
        } folders[] = {
                {"keys", 02750, {0750, 02755, 02770, 0700, 06750}},
                {"claims", 02750, {0750, 02751, 02770, 02700, 03750}},
                {"state", 0700, {0750, 02700, 0701, 0770, 01700}},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(folders); i++) {
                const char *name = folders[i].name;
                char path[128], aside[128], named[16];
                bool helper_needs_it = strcmp(name, "state") != 0;

                (void)snprintf(path, sizeof(path), "%s/%s", root, name);
                (void)snprintf(aside, sizeof(aside), "%s/aside", root);
                for (size_t j = 0; j < ELEMENTS(folders[i].wrong); j++) {
                        scratch_become(0);
                        assert_int_equal(chmod(path, folders[i].wrong[j]), 0);
                        (void)snprintf(named, sizeof(named), "mode %04o", folders[i].wrong[j]);
                        scratch_become(SCRATCH_AGENT);
                        assert_not_opened(root, STORE_AGENT, -EPERM, path, named);
                        scratch_become(0);
                        if (helper_needs_it)
                                assert_not_opened(root, STORE_HELPER, -EPERM, path, named);
                }
                assert_int_equal(chmod(path, folders[i].mode), 0);

                /* Root stands for any owner that could open it at all. */
                assert_int_equal(chown(path, SCRATCH_OTHER, SCRATCH_AGENT), 0);
                assert_int_equal(chmod(path, folders[i].mode), 0);
                if (strcmp(name, "claims") == 0)
                        assert_not_opened(root, STORE_HELPER, -EPERM, path, "belongs to user id 60003, not to 60001");
                if (strcmp(name, "keys") == 0)
                        assert_not_opened(root, STORE_HELPER, -EPERM, below("claims"),
                                          "belongs to user id 60001, not to 60003");
                assert_int_equal(chown(path, SCRATCH_AGENT, helper_needs_it ? SCRATCH_HELPER : SCRATCH_AGENT), 0);
                assert_int_equal(chmod(path, folders[i].mode), 0);

                assert_int_equal(rename(path, aside), 0);
                assert_int_equal(symlink("aside", path), 0);
                scratch_become(SCRATCH_AGENT);
                assert_not_opened(root, STORE_AGENT, -ENOTDIR, path, "cannot be opened");
                scratch_become(SCRATCH_HELPER);
                if (helper_needs_it)
                        assert_not_opened(root, STORE_HELPER, -ENOTDIR, path, "cannot be opened");
                scratch_become(0);
                assert_int_equal(unlink(path), 0);
                scratch_become(SCRATCH_AGENT);
                assert_not_opened(root, STORE_AGENT, -ENOENT, path, "cannot be opened");
                scratch_become(0);
                assert_int_equal(mkfifo(path, 0640), 0);
                scratch_become(SCRATCH_AGENT);
                assert_not_opened(root, STORE_AGENT, -ENOTDIR, path, "cannot be opened");
                scratch_become(0);
                assert_int_equal(unlink(path), 0);
                assert_int_equal(rename(aside, path), 0);
        }
        scratch_become(SCRATCH_AGENT);
        store_close(&store);
        {
                char why[256];

                assert_int_equal(store_open(root, STORE_AGENT, &store, why), 0);
        }
}

static void a_long_path_does_not_overrun_the_reason(void **state) {
        char path[4000], why[256 + 8];
        struct store other;

        (void)state;
        memset(path, 'p', sizeof(path));
        path[0] = '/';
        path[200] = '/';
        path[400] = '\0';
        memset(why, 0x5a, sizeof(why));
        assert_int_equal(store_open(path, STORE_HELPER, &other, why), -ENOENT);
        assert_int_equal(strlen(why), 255);
        assert_int_equal(why[256], 0x5a);
}

/* Names. */

static void assert_user_name(const char *user, const char *expected) {
        char name[STORE_USER_NAME_MAX];

        memset(name, 0x5a, sizeof(name));
        assert_true(store_user_name(user, name));
        assert_string_equal(name, expected);
}

static void a_user_name_becomes_a_safe_file_name(void **state) {
        char none[STORE_USER_NAME_MAX];

        (void)state;
        assert_user_name("ada", "ada");
        assert_user_name("Ada_Lovelace-1.2", "Ada_Lovelace-1.2");
        assert_user_name(".", "%2e");
        assert_user_name("..", "%2e.");
        assert_user_name("...", "%2e..");
        assert_user_name(".ssh", "%2essh");
        assert_user_name("a.b.", "a.b.");
        assert_user_name("/", "%2f");
        assert_user_name("../../etc", "%2e.%2f..%2fetc");
        assert_user_name("a b", "a%20b");
        assert_user_name("a\nb", "a%0ab");
        assert_user_name("%", "%25");
        assert_user_name("%2e", "%252e");
        assert_user_name("%h0123456789abcdef", "%25h0123456789abcdef");
        assert_user_name("\xc3\xa9", "%c3%a9");
        assert_user_name("DOM\\user@example.org", "DOM%5cuser%40example.org");
        assert_user_name("-rf", "-rf");
        assert_user_name("\x7f\x01", "%7f%01");
        assert_false(store_user_name("", none));
}

static void two_short_users_never_share_a_file_name(void **state) {
        static char names[256 * 257][8];
        size_t n = 0;

        (void)state;
        /* Every name of one byte, and every one of two. */
        for (unsigned a = 1; a < 256; a++)
                for (unsigned b = 0; b < 256; b++) {
                        char user[3] = {(char)a, (char)b, '\0'}, name[STORE_USER_NAME_MAX];

                        assert_true(store_user_name(user, name));
                        assert_true(name[0] != '.' && !strchr(name, '/'));
                        assert_true(strlen(name) <= 6);
                        memcpy(names[n++], name, strlen(name) + 1);
                }
        qsort(names, n, sizeof(names[0]), (int (*)(const void *, const void *))strcmp);
        for (size_t i = 1; i < n; i++)
                assert_string_not_equal(names[i - 1], names[i]);
}

static void a_user_name_that_is_too_long_for_a_file_becomes_a_hash(void **state) {
        char user[GRANT_USER_MAX], name[STORE_USER_NAME_MAX], other[STORE_USER_NAME_MAX];

        (void)state;
        memset(user, 'u', sizeof(user));
        user[255] = '\0';
        assert_user_name(user, user);
        user[255] = 'u';
        user[256] = '\0';
        assert_true(store_user_name(user, name));
        assert_int_equal(strlen(name), 18);
        assert_memory_equal(name, "%h", 2);
        assert_int_equal(strspn(name + 2, "0123456789abcdef"), 16);
        user[255] = 'v';
        assert_true(store_user_name(user, other));
        assert_int_equal(strlen(other), 18);
        assert_string_not_equal(name, other);
        assert_true(store_user_name_valid(name));

        /* An escape takes three bytes: 85 fit, and one byte more does not. */
        memset(user, ' ', sizeof(user));
        user[85] = '\0';
        assert_true(store_user_name(user, name));
        assert_int_equal(strlen(name), 255);
        user[85] = 'a';
        user[86] = '\0';
        assert_true(store_user_name(user, name));
        assert_memory_equal(name, "%h", 2);
        user[84] = 'a';
        assert_true(store_user_name(user, name));
        assert_int_equal(strlen(name), 254);
}

/* FNV-1a is known: of "a" it is af63dc4c8601ec8c. This one is reckoned here once more, by its definition. */
static void the_hash_is_that_of_the_whole_name(void **state) {
        char user[GRANT_USER_MAX], name[STORE_USER_NAME_MAX], expected[STORE_USER_NAME_MAX];
        uint64_t hash = UINT64_C(14695981039346656037);

        (void)state;
        for (size_t i = 0; i < 256; i++)
                user[i] = (char)(i == 0 ? 255 : i);
        user[256] = '\0';
        for (size_t i = 0; i < 256; i++) {
                hash ^= (uint8_t)user[i];
                hash *= UINT64_C(1099511628211);
        }
        (void)snprintf(expected, sizeof(expected), "%%h%016llx", (unsigned long long)hash);
        assert_true(store_user_name(user, name));
        assert_string_equal(name, expected);
}

static void a_fingerprint_becomes_a_file_name_and_comes_back(void **state) {
        static const char fingerprint[] = "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJK01+/56";
        char name[STORE_FINGERPRINT_NAME_MAX], text[STORE_FINGERPRINT_NAME_MAX + 7];

        (void)state;
        assert_int_equal(sizeof(fingerprint), sizeof(text));
        assert_true(store_fingerprint_name(fingerprint, name));
        assert_string_equal(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJK01-_56");
        store_fingerprint_text(name, text);
        assert_string_equal(text, fingerprint);
}

static void what_is_no_sha256_fingerprint_has_no_file_name(void **state) {
        static const char good[] = "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJK01+/56";
        static const char *const wrong[] = {
                "",
                "SHA256:",
                "SHA256",
                "MD5:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff",
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJK01+/56",
                "sha256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJK01+/56",
                "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJK01+/5",
                "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJK01+/567",
                "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJK01+/56=",
                "SHA512:abcdefghijklmnopqrstuvwxyzABCDEFGHIJK01+/56",
        };
        char name[STORE_FINGERPRINT_NAME_MAX] = "before";

        (void)state;
        assert_true(store_fingerprint_name(good, name));
        (void)snprintf(name, sizeof(name), "before");
        for (size_t i = 0; i < ELEMENTS(wrong); i++)
                if (store_fingerprint_name(wrong[i], name))
                        fail_msg("\"%s\" is taken", wrong[i]);
        for (unsigned c = 1; c < 256; c++) {
                bool base64 = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
                              c == '/';
                char text[sizeof(good)], other[STORE_FINGERPRINT_NAME_MAX];

                memcpy(text, good, sizeof(text));
                text[20] = (char)c;
                assert_int_equal(store_fingerprint_name(text, other), base64);
        }
        assert_string_equal(name, "before");
}

static void an_id_is_64_small_hex_digits(void **state) {
        char id[STORE_ID_MAX + 1];

        (void)state;
        assert_true(store_id_valid(ID('0')));
        assert_true(store_id_valid(ID('f')));
        assert_false(store_id_valid(ID('g')));
        assert_false(store_id_valid(ID('F')));
        assert_false(store_id_valid(""));
        assert_false(store_id_valid(repeated('0', STORE_ID_MAX - 2)));
        memset(id, '0', sizeof(id));
        id[STORE_ID_MAX] = '\0';
        assert_false(store_id_valid(id));
}

/* Storing. */

static void assert_node(const char *path, mode_t mode, off_t size) {
        struct stat st;

        if (lstat(path, &st) < 0)
                fail_msg("%s: %s", path, strerror(errno));
        if (st.st_mode != mode || st.st_uid != SCRATCH_AGENT || st.st_gid != SCRATCH_HELPER)
                fail_msg("%s: mode %o, owner %u:%u", path, st.st_mode, st.st_uid, st.st_gid);
        if (size >= 0)
                assert_int_equal(st.st_size, size);
        if (S_ISREG(mode))
                assert_int_equal(st.st_nlink, 1);
}

static void what_is_stored_has_owner_group_and_mode_whatever_the_umask_is(void **state) {
        static const mode_t masks[] = {0, 022, 027};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(masks); i++) {
                char user[] = {(char)('a' + i), '\0'};

                (void)umask(masks[i]);
                assert_int_equal(publish(user, '1', "AB"), 0);
                assert_node(below("keys/%s", user), S_IFDIR | 02750, -1);
                assert_node(below("keys/%s/%s", user, FINGERPRINT('A')), S_IFDIR | 02750, -1);
                assert_node(KEY_PATH(user, 'A', '1'), S_IFREG | 0640, -1);
                assert_node(KEY_PATH(user, 'B', '1'), S_IFREG | 0640, -1);
                assert_node(below("claims/%s", user), S_IFDIR | 02750, -1);
                assert_node(CLAIM_PATH(user, '1'), S_IFREG | 0660, 2 * CLAIM_SLOT_SIZE);
                assert_true(counts(user, 'A', '1'));
                assert_true(counts(user, 'B', '1'));
        }
}

static void a_umask_that_would_hide_keys_from_the_helper_stores_nothing(void **state) {
        static const mode_t masks[] = {077, 0777, 070, 010, 0200};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(masks); i++) {
                (void)umask(masks[i]);
                assert_int_equal(publish("ada", '1', "A"), -EBADMSG);
                (void)umask(022);
                assert_true(store_empty());
        }
        /* And with folders that are there already a mask does no harm. */
        assert_int_equal(publish("ada", '1', "A"), 0);
        (void)umask(0777);
        assert_int_equal(publish("ada", '2', "A"), 0);
        assert_node(KEY_PATH("ada", 'A', '2'), S_IFREG | 0640, -1);
        assert_node(CLAIM_PATH("ada", '2'), S_IFREG | 0660, 2 * CLAIM_SLOT_SIZE);
}

static void what_is_read_is_what_was_stored(void **state) {
        struct grant grant = scratch_grant("ada", 7, 3), read;
        struct store_place place = place_of("ada", 'A', '1');
        int fd;

        (void)state;
        grant.restricted = true;
        grant.n_sources = 1;
        assert_true(source_from_text("192.0.2.0/24", &grant.sources[0]));
        (void)snprintf(grant.principal, sizeof(grant.principal), "ops");
        (void)snprintf(grant.request_id, sizeof(grant.request_id), "REQ-1");
        assert_int_equal(publish_as(&grant, '1', "A"), 0);
        assert_int_equal(store_read(&store, &place, &read), 0);
        assert_string_equal(read.user, "ada");
        assert_int_equal(read.connections, 7);
        assert_true(read.restricted);
        assert_int_equal(read.n_sources, 1);
        assert_memory_equal(&read.sources[0], &grant.sources[0], sizeof(struct source));
        assert_string_equal(read.principal, "ops");
        assert_string_equal(read.request_id, "REQ-1");
        assert_true(read.life.boot_end_ns == grant.life.boot_end_ns);
        assert_node(CLAIM_PATH("ada", '1'), S_IFREG | 0660, 7 * CLAIM_SLOT_SIZE);
        fd = store_open_claim(&store, &place, O_RDWR);
        assert_true(fd >= 0);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(claim_count(fd, 7), 0);
        assert_int_equal(close(fd), 0);
}

static void any_user_name_has_a_place(void **state) {
        static const char *const users[] = {"..", "a/b", "\xc3\xa9", "%", "a b"};
        char long_name[GRANT_USER_MAX];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(users); i++) {
                assert_int_equal(publish(users[i], '1', "A"), 0);
                assert_true(counts(users[i], 'A', '1'));
        }
        memset(long_name, 'l', sizeof(long_name));
        long_name[GRANT_USER_MAX - 1] = '\0';
        assert_int_equal(publish(long_name, '1', "A"), 0);
        assert_true(counts(long_name, 'A', '1'));
        assert_false(exists(below("a")));
}

static void without_its_claim_file_a_grant_does_not_count(void **state) {
        struct store_place place = place_of("ada", 'A', '1');
        struct grant grant;

        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        assert_int_equal(store_remove_claim(&store, &place), 0);
        assert_false(exists(below("claims/ada")));
        assert_int_equal(store_read(&store, &place, &grant), 0);
        assert_int_equal(store_open_claim(&store, &place, O_RDONLY), -ENOENT);
        assert_false(counts("ada", 'A', '1'));
}

static void a_grant_for_any_number_of_connections_has_an_empty_claim_file(void **state) {
        struct grant grant = scratch_grant("ada", 0, 0);

        (void)state;
        assert_int_equal(publish_as(&grant, '1', "A"), 0);
        assert_node(CLAIM_PATH("ada", '1'), S_IFREG | 0660, 0);
        assert_true(counts("ada", 'A', '1'));
}

static void assert_unchanged(const char *path, const struct stat *before) {
        struct stat st;

        assert_int_equal(lstat(path, &st), 0);
        assert_int_equal(st.st_ino, before->st_ino);
        assert_int_equal(st.st_size, before->st_size);
        assert_int_equal(st.st_mtim.tv_sec, before->st_mtim.tv_sec);
        assert_int_equal(st.st_mtim.tv_nsec, before->st_mtim.tv_nsec);
        assert_int_equal(st.st_ctim.tv_nsec, before->st_ctim.tv_nsec);
}

static void storing_the_same_again_changes_nothing(void **state) {
        static const struct connection_id who = {100, 1};
        struct store_place place = place_of("ada", 'A', '1');
        struct grant other = scratch_grant("ada", 2, 0), read;
        struct stat key, claim;
        int fd;

        (void)state;
        assert_int_equal(publish("ada", '1', "AB"), 0);
        fd = store_open_claim(&store, &place, O_RDWR);
        assert_int_equal(claim_slot(fd, 2, &who, CLAIM_TAKE), CLAIM_TAKEN);
        assert_int_equal(close(fd), 0);
        assert_int_equal(lstat(KEY_PATH("ada", 'A', '1'), &key), 0);
        assert_int_equal(lstat(CLAIM_PATH("ada", '1'), &claim), 0);

        other.life.boot_end_ns += 1000 * NS_PER_S;
        (void)snprintf(other.principal, sizeof(other.principal), "mallory");
        assert_int_equal(publish_as(&other, '1', "AB"), 0);

        assert_unchanged(KEY_PATH("ada", 'A', '1'), &key);
        assert_unchanged(CLAIM_PATH("ada", '1'), &claim);
        assert_int_equal(store_read(&store, &place, &read), 0);
        assert_string_equal(read.principal, "");
        fd = store_open_claim(&store, &place, O_RDWR);
        assert_int_equal(claim_count(fd, 2), 1);
        assert_int_equal(claim_slot(fd, 2, &who, CLAIM_FIND), CLAIM_HELD);
        assert_int_equal(close(fd), 0);
}

static void storing_again_finishes_what_was_cut_off(void **state) {
        struct stat key;

        (void)state;
        /* Killed after one key of three. */
        assert_int_equal(publish("ada", '1', "ABC"), 0);
        assert_int_equal(lstat(KEY_PATH("ada", 'A', '1'), &key), 0);
        assert_int_equal(unlink(CLAIM_PATH("ada", '1')), 0);
        assert_int_equal(unlink(KEY_PATH("ada", 'B', '1')), 0);
        assert_int_equal(unlink(KEY_PATH("ada", 'C', '1')), 0);
        assert_int_equal(rmdir(below("keys/ada/%s", FINGERPRINT('C'))), 0);

        assert_int_equal(publish("ada", '1', "ABC"), 0);
        assert_unchanged(KEY_PATH("ada", 'A', '1'), &key);
        assert_true(counts("ada", 'A', '1') && counts("ada", 'B', '1') && counts("ada", 'C', '1'));
}

static void two_grants_of_one_key_lie_beside_each_other(void **state) {
        struct store_place place = place_of("ada", 'A', '1');

        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        assert_int_equal(publish("ada", '2', "A"), 0);
        assert_int_equal(store_remove_claim(&store, &place), 0);
        assert_int_equal(store_remove_key(&store, &place), 0);
        assert_false(counts("ada", 'A', '1'));
        assert_true(counts("ada", 'A', '2'));
}

static void what_cannot_be_a_grant_is_not_stored(void **state) {
        struct grant grant = scratch_grant("ada", 1, 0);
        struct store_key keys[65];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(keys); i++)
                keys[i] = scratch_store_key('A');
        assert_int_equal(store_publish(&store, ID('1'), &grant, keys, 0), -EINVAL);
        assert_int_equal(store_publish(&store, ID('1'), &grant, keys, ELEMENTS(keys)), -EINVAL);
        assert_int_equal(store_publish(&store, ID('x'), &grant, keys, 1), -EINVAL);
        assert_int_equal(store_publish(&store, "../1", &grant, keys, 1), -EINVAL);
        assert_int_equal(store_publish(&store, "", &grant, keys, 1), -EINVAL);
        grant.connections = GRANT_CONNECTIONS_MAX + 1;
        assert_int_equal(store_publish(&store, ID('1'), &grant, keys, 1), -EMSGSIZE);
        grant.connections = 1;
        grant.user[0] = '\0';
        assert_int_equal(store_publish(&store, ID('1'), &grant, keys, 1), -EINVAL);
        assert_true(store_empty());
}

/* Stores three keys where there is room for `n` of whatever `option` counts. */
static int publish_with_room_for(const char *option, unsigned n, const char *unit) {
        char options[128];
        int r;

        (void)tear_down(NULL);
        (void)snprintf(options, sizeof(options), "mode=0755,%s=%u%s", option, n, unit);
        assert_int_equal(mount_store(options), 0);
        r = publish("ada", '1', "ABC");
        if (r == 0)
                assert_true(counts("ada", 'A', '1') && counts("ada", 'B', '1') && counts("ada", 'C', '1'));
        else if (!store_empty())
                fail_msg("%s: %s, and something is left", options, strerror(-r));
        return r;
}

static void without_room_nothing_is_left_not_even_folders(void **state) {
        unsigned n, failed = 0;

        (void)state;
        /* Four inodes are there before: the root and its three folders. Nine more are needed. */
        for (n = 4; n < 40; n++) {
                int r = publish_with_room_for("nr_inodes", n, "");

                if (r == 0)
                        break;
                assert_int_equal(r, -ENOSPC);
                failed++;
        }
        assert_in_range(n, 13, 24);
        assert_in_range(failed, 9, 36);

        failed = 0;
        for (n = 1; n < 40; n++) {
                int r = publish_with_room_for("nr_blocks", n, "");

                if (r == 0)
                        break;
                assert_int_equal(r, -ENOSPC);
                failed++;
        }
        assert_in_range(n, 4, 16);
        assert_in_range(failed, 3, 15);
}

/* Leaves `left` free blocks. */
static void fill(unsigned left) {
        static const uint8_t block[4096];
        struct statfs fs;
        int fd = open(below("state/fill"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(fstatfs(fd, &fs), 0);
        while (fs.f_bavail > left) {
                assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
                assert_int_equal(fstatfs(fd, &fs), 0);
        }
        assert_int_equal(close(fd), 0);
}

static void without_room_what_was_there_stays(void **state) {
        (void)state;
        assert_int_equal(publish("ada", '1', "AB"), 0);
        for (unsigned left = 0; left < 3; left++) {
                fill(left);
                assert_int_equal(publish("ada", '2', "ABC"), -ENOSPC);
                assert_false(exists(KEY_PATH("ada", 'A', '2')));
                assert_false(exists(KEY_PATH("ada", 'B', '2')));
                assert_false(exists(below("keys/ada/%s", FINGERPRINT('C'))));
                assert_false(exists(CLAIM_PATH("ada", '2')));
                assert_int_equal(publish("bob", '2', "ABC"), -ENOSPC);
                assert_false(exists(below("keys/bob")));
                assert_false(exists(below("claims/bob")));
                assert_true(counts("ada", 'A', '1') && counts("ada", 'B', '1'));
                assert_int_equal(unlink(below("state/fill")), 0);
        }
        assert_int_equal(publish("ada", '2', "ABC"), 0);
}

/* What an earlier call wrote is for it, or for store_tidy(), to finish: a later one that fails takes only its own away. */
static void a_repeat_that_fails_leaves_what_it_found(void **state) {
        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        assert_int_equal(unlink(CLAIM_PATH("ada", '1')), 0);
        fill(1);
        assert_int_equal(publish("ada", '1', "AB"), -ENOSPC);
        assert_true(exists(KEY_PATH("ada", 'A', '1')));
        assert_false(exists(below("keys/ada/%s", FINGERPRINT('B'))));
        assert_int_equal(unlink(below("state/fill")), 0);
        assert_int_equal(publish("ada", '1', "AB"), 0);
        assert_true(counts("ada", 'A', '1') && counts("ada", 'B', '1'));
}

static void a_folder_that_is_not_the_stores_takes_no_key(void **state) {
        (void)state;
        scratch_become(0);
        scratch_make_folder(root, "claims/ada", SCRATCH_OTHER, SCRATCH_OTHER, 0777);
        scratch_become(SCRATCH_AGENT);
        assert_int_equal(publish("ada", '1', "AB"), -EBADMSG);
        assert_true(folder_empty(below("keys")));
        assert_true(exists(below("claims/ada")));
        assert_int_equal(symlink("../state", below("keys/bob")), 0);
        assert_int_equal(publish("bob", '1', "AB"), -EBADMSG);
        assert_true(folder_empty(below("state")));
        assert_int_equal(mkdir(below("keys/eve"), 0750), 0);
        assert_int_equal(symlink("../../state", below("keys/eve/%s", FINGERPRINT('A'))), 0);
        assert_int_equal(publish("eve", '1', "A"), -EBADMSG);
        assert_true(folder_empty(below("state")));
        assert_false(exists(below("claims/eve")));
}

static void resize_claim(const char *user, char id, off_t size) {
        int fd = open(CLAIM_PATH(user, id), O_WRONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, size), 0);
        assert_int_equal(close(fd), 0);
}

static void claim_files_that_have_grown_are_removed_and_no_others(void **state) {
        struct grant largest = scratch_grant("bob", GRANT_CONNECTIONS_MAX, 0);

        (void)state;
        assert_int_equal(publish("ada", '1', "AB"), 0);
        assert_int_equal(publish("ada", '2', "A"), 0);
        assert_int_equal(publish_as(&largest, '3', "A"), 0);
        assert_int_equal(store_remove_grown(&store), 0);
        resize_claim("ada", '1', GRANT_CONNECTIONS_MAX * CLAIM_SLOT_SIZE + 1);
        assert_int_equal(store_remove_grown(&store), 1);
        assert_false(exists(CLAIM_PATH("ada", '1')));
        assert_true(counts("ada", 'A', '2') && exists(CLAIM_PATH("bob", '3')));
        assert_int_equal(store_tidy(&store), 0);
        assert_false(exists(KEY_PATH("ada", 'A', '1')) || exists(KEY_PATH("ada", 'B', '1')));
        resize_claim("ada", '2', 1 << 20);
        resize_claim("bob", '3', 1 << 20);
        assert_int_equal(store_remove_grown(&store), 2);
        assert_int_equal(store_tidy(&store), 0);
        assert_true(folder_empty(below("keys")) && folder_empty(below("claims")));
}

static void what_is_no_directory_of_claims_is_not_searched(void **state) {
        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        resize_claim("ada", '1', 1 << 20);
        assert_int_equal(rename(below("claims/ada"), below("state/ada")), 0);
        assert_int_equal(symlink("../state/ada", below("claims/ada")), 0);
        assert_int_equal(store_remove_grown(&store), 0);
        assert_true(exists(below("state/ada/%s", ID('1'))));
        assert_int_equal(unlink(below("claims/ada")), 0);
        store_close(&store);
        assert_int_equal(store_remove_grown(&store), -EBADF);
}

/* Walking. */

struct seen {
        unsigned n;
        char text[1024];
};

/* "user fingerprint's and id's first character" of each, in no order. */
static int see(void *context, const struct store_place *place) {
        struct seen *seen = context;
        size_t used = strlen(seen->text);

        assert_int_equal(strlen(place->fingerprint), STORE_FINGERPRINT_NAME_MAX - 1);
        assert_int_equal(strlen(place->id), STORE_ID_MAX - 1);
        seen->n++;
        (void)snprintf(seen->text + used, sizeof(seen->text) - used, " %s:%c%c", place->user, place->fingerprint[0],
                       place->id[0]);
        return 0;
}

static void assert_seen(const char *user, const char *fingerprint, unsigned n, ...) {
        struct seen seen = {0};
        va_list expected;

        assert_int_equal(store_walk(&store, user, fingerprint, see, &seen), 0);
        va_start(expected, n);
        for (unsigned i = 0; i < n; i++) {
                const char *one = va_arg(expected, const char *);

                if (!strstr(seen.text, one))
                        fail_msg("%s is not among%s", one, seen.text);
        }
        va_end(expected);
        if (seen.n != n)
                fail_msg("%u instead of %u:%s", seen.n, n, seen.text);
}

static void a_walk_shows_what_was_asked_for_and_nothing_else(void **state) {
        (void)state;
        assert_seen(NULL, NULL, 0);
        assert_int_equal(publish("ada", '1', "AB"), 0);
        assert_int_equal(publish("ada", '2', "A"), 0);
        assert_int_equal(publish("bob", '3', "A"), 0);
        assert_seen(NULL, NULL, 4, "ada:A1", "ada:B1", "ada:A2", "bob:A3");
        assert_seen("ada", NULL, 3, "ada:A1", "ada:B1", "ada:A2");
        assert_seen("bob", NULL, 1, "bob:A3");
        assert_seen("eve", NULL, 0);
        assert_seen("ada", FINGERPRINT('A'), 2, "ada:A1", "ada:A2");
        assert_seen("ada", FINGERPRINT('B'), 1, "ada:B1");
        assert_seen("bob", FINGERPRINT('B'), 0);
        assert_seen("eve", FINGERPRINT('A'), 0);
        assert_seen(NULL, FINGERPRINT('A'), 3, "ada:A1", "ada:A2", "bob:A3");
        assert_seen(NULL, FINGERPRINT('B'), 1, "ada:B1");
        assert_seen(NULL, FINGERPRINT('C'), 0);
}

static int stop_at_first(void *context, const struct store_place *place) {
        (void)place;
        ++*(unsigned *)context;
        return 17;
}

static void a_visit_ends_the_walk_with_its_own_result(void **state) {
        unsigned n = 0;

        (void)state;
        assert_int_equal(publish("ada", '1', "AB"), 0);
        assert_int_equal(publish("bob", '1', "AB"), 0);
        assert_int_equal(store_walk(&store, NULL, NULL, stop_at_first, &n), 17);
        assert_int_equal(n, 1);
        assert_int_equal(store_walk(&store, "ada", FINGERPRINT('A'), stop_at_first, &n), 17);
        assert_int_equal(n, 2);
        assert_int_equal(store_walk(&store, NULL, FINGERPRINT('B'), stop_at_first, &n), 17);
        assert_int_equal(n, 3);
}

static int take_away(void *context, const struct store_place *place) {
        ++*(unsigned *)context;
        assert_int_equal(store_remove_claim(&store, place), 0);
        return store_remove_key(&store, place);
}

static void a_visit_may_remove_what_it_is_shown(void **state) {
        unsigned n = 0;

        (void)state;
        for (char id = '0'; id <= '9'; id++) {
                assert_int_equal(publish("ada", id, "ABCD"), 0);
                assert_int_equal(publish("bob", id, "ABCD"), 0);
        }
        assert_int_equal(store_walk(&store, NULL, NULL, take_away, &n), 0);
        assert_int_equal(n, 80);
        assert_true(store_empty());
}

static void names_that_the_store_cannot_have_made_are_passed_over(void **state) {
        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        assert_int_equal(mkdir(below("keys/.hidden"), 0750), 0);
        assert_int_equal(mkdir(below("keys/.hidden/%s", FINGERPRINT('A')), 0750), 0);
        assert_int_equal(mknod(below("keys/.hidden/%s/%s", FINGERPRINT('A'), ID('1')), S_IFREG | 0640, 0), 0);
        assert_int_equal(mkdir(below("keys/ada/short"), 0750), 0);
        assert_int_equal(mknod(below("keys/ada/short/%s", ID('1')), S_IFREG | 0640, 0), 0);
        assert_int_equal(mkdir(below("keys/ada/%s", FINGERPRINT('.')), 0750), 0);
        assert_int_equal(mknod(below("keys/ada/%s/%s", FINGERPRINT('.'), ID('1')), S_IFREG | 0640, 0), 0);
        assert_int_equal(mknod(below("keys/ada/%s/%s.tmp", FINGERPRINT('A'), ID('1')), S_IFREG | 0640, 0), 0);
        assert_int_equal(mknod(below("keys/ada/%s/%s", FINGERPRINT('A'), ID('X')), S_IFREG | 0640, 0), 0);
        assert_int_equal(mknod(below("keys/ada/%s/short", FINGERPRINT('A')), S_IFREG | 0640, 0), 0);
        assert_seen(NULL, NULL, 1, "ada:A1");
}

/* The lowest descriptor that is free and has no other in use above it. */
static int first_free_descriptor(void) {
        DIR *folder = opendir("/proc/self/fd");
        struct dirent *entry;
        int highest = 0, next;

        assert_non_null(folder);
        while ((entry = readdir(folder)))
                if (atoi(entry->d_name) > highest && atoi(entry->d_name) != dirfd(folder))
                        highest = atoi(entry->d_name);
        assert_int_equal(closedir(folder), 0);
        do
                next = dup(0);
        while (next >= 0 && next < highest);
        assert_int_equal(close(next), 0);
        return next;
}

static void a_walk_without_descriptors_fails_and_hides_nothing(void **state) {
        int next = first_free_descriptor();
        unsigned descriptors = open_descriptors();
        struct rlimit before, few;
        struct seen seen = {0};

        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        /* A walk over all has three directories open at its end, one to a known fingerprint two. */
        for (unsigned more = 0; more <= 5; more++) {
                int at_all, at_one, tidied;

                few = (struct rlimit){(rlim_t)next + more, before.rlim_max};
                assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
                at_all = store_walk(&store, NULL, NULL, see, &seen);
                at_one = store_walk(&store, "ada", FINGERPRINT('A'), see, &seen);
                tidied = more < 5 ? store_tidy(&store) : -EMFILE;
                assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
                assert_int_equal(at_all, more < 3 ? -EMFILE : 0);
                assert_int_equal(at_one, more < 2 ? -EMFILE : 0);
                assert_int_equal(tidied, -EMFILE);
                assert_true(counts("ada", 'A', '1'));
        }
        assert_int_equal(open_descriptors(), descriptors);
}

static void a_push_without_descriptors_leaves_nothing(void **state) {
        int next = first_free_descriptor(), r = -EMFILE;
        struct rlimit before, few;
        unsigned more;

        (void)state;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        for (more = 0; more < 10 && r < 0; more++) {
                few = (struct rlimit){(rlim_t)next + more, before.rlim_max};
                assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
                r = publish("ada", '1', "A");
                assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
                if (r < 0) {
                        assert_int_equal(r, -EMFILE);
                        assert_true(store_empty());
                }
        }
        assert_int_equal(more, 4);
        assert_true(counts("ada", 'A', '1'));
}

/* Damage: every kind of wrong thing in the place of every component. */

enum kind {
        KIND_SYMLINK,
        KIND_FIFO,
        KIND_DEVICE,
        KIND_SOCKET,
        KIND_OTHER_TYPE, /* a folder in a file's place, a file in a folder's */
        KIND_HARD_LINK,  /* for a file */
        KIND_MODE_MORE,
        KIND_MODE_LESS,
        KIND_MODE_NONE,
        KIND_OWNER,
        KIND_MAX_,
};

static void put_wrong(const char *path, enum kind kind, bool folder, mode_t mode) {
        static unsigned n;
        char aside[128];

        scratch_become(0);
        (void)snprintf(aside, sizeof(aside), "%s/state/aside%u", root, n++);
        if (kind <= KIND_OTHER_TYPE)
                assert_int_equal(rename(path, aside), 0);
        switch (kind) {
        case KIND_SYMLINK:
                assert_int_equal(symlink(aside, path), 0);
                break;
        case KIND_FIFO:
                assert_int_equal(mknod(path, S_IFIFO | mode, 0), 0);
                break;
        case KIND_DEVICE:
                assert_int_equal(mknod(path, S_IFCHR | mode, makedev(1, 3)), 0);
                break;
        case KIND_SOCKET:
                assert_int_equal(mknod(path, S_IFSOCK | mode, 0), 0);
                break;
        case KIND_OTHER_TYPE:
                assert_int_equal(folder ? mknod(path, S_IFREG | mode, 0) : mkdir(path, mode), 0);
                break;
        case KIND_HARD_LINK:
                assert_int_equal(link(path, aside), 0);
                return;
        case KIND_MODE_MORE:
                assert_int_equal(chmod(path, mode | 0006), 0);
                return;
        case KIND_MODE_LESS:
                assert_int_equal(chmod(path, mode & (mode_t)~0040), 0);
                return;
        case KIND_MODE_NONE:
                assert_int_equal(chmod(path, 0), 0);
                return;
        case KIND_OWNER:
                assert_int_equal(chown(path, SCRATCH_OTHER, SCRATCH_AGENT), 0);
                assert_int_equal(chmod(path, mode), 0);
                return;
        case KIND_MAX_:
                break;
        }
        assert_int_equal(lchown(path, SCRATCH_AGENT, SCRATCH_HELPER), 0);
        if (kind != KIND_SYMLINK)
                assert_int_equal(chmod(path, mode), 0);
}

/* A new store with three grants of ada and one of bob, with what lies at `format` of ada's first grant made wrong. */
static void damage(const char *path, enum kind kind, bool folder, mode_t mode) {
        (void)tear_down(NULL);
        assert_int_equal(set_up(NULL), 0);
        assert_int_equal(publish("ada", '1', "A"), 0);
        assert_int_equal(publish("ada", '2', "A"), 0);
        assert_int_equal(publish("ada", '3', "B"), 0);
        assert_int_equal(publish("bob", '4', "A"), 0);
        put_wrong(below("%s", path), kind, folder, mode);
        scratch_become(SCRATCH_AGENT);
}

static bool visited(const char *one) {
        struct seen seen = {0};

        assert_int_equal(store_walk(&store, NULL, NULL, see, &seen), 0);
        return strstr(seen.text, one);
}

static void whatever_stands_in_place_of_a_key_is_not_one_and_hides_no_other(void **state) {
        struct store_place place = place_of("ada", 'A', '1');

        (void)state;
        for (enum kind kind = 0; kind < KIND_MAX_; kind++) {
                struct grant grant;
                char path[256];
                int r;

                (void)snprintf(path, sizeof(path), "keys/ada/%s/%s", FINGERPRINT('A'), ID('1'));
                damage(path, kind, false, 0640);
                r = store_read(&store, &place, &grant);
                if (r != -EBADMSG)
                        fail_msg("kind %d: %d", kind, r);
                assert_true(counts("ada", 'A', '2') && counts("ada", 'B', '3') && counts("bob", 'A', '4'));
                assert_true(visited("ada:A1") && visited("ada:A2") && visited("ada:B3") && visited("bob:A4"));
        }
}

static void whatever_stands_in_place_of_a_fingerprints_folder_is_passed_over(void **state) {
        struct store_place place = place_of("ada", 'A', '1');

        (void)state;
        for (enum kind kind = 0; kind < KIND_MAX_; kind++) {
                struct grant grant;
                char path[256];
                int r;

                if (kind == KIND_HARD_LINK)
                        continue;
                (void)snprintf(path, sizeof(path), "keys/ada/%s", FINGERPRINT('A'));
                damage(path, kind, true, 02750);
                r = store_read(&store, &place, &grant);
                if (r != -EBADMSG)
                        fail_msg("kind %d: %d", kind, r);
                assert_true(counts("ada", 'B', '3') && counts("bob", 'A', '4'));
                assert_false(visited("ada:A"));
                assert_true(visited("ada:B3") && visited("bob:A4"));
                assert_seen("ada", FINGERPRINT('A'), 0);
                assert_seen(NULL, FINGERPRINT('A'), 1, "bob:A4");
        }
}

static void whatever_stands_in_place_of_a_users_folder_is_passed_over(void **state) {
        struct store_place place = place_of("ada", 'A', '1');

        (void)state;
        for (enum kind kind = 0; kind < KIND_MAX_; kind++) {
                struct grant grant;
                int r;

                if (kind == KIND_HARD_LINK)
                        continue;
                damage("keys/ada", kind, true, 02750);
                r = store_read(&store, &place, &grant);
                if (r != -EBADMSG)
                        fail_msg("kind %d: %d", kind, r);
                assert_true(counts("bob", 'A', '4'));
                assert_seen(NULL, NULL, 1, "bob:A4");
                assert_seen("ada", NULL, 0);
                assert_seen("ada", FINGERPRINT('A'), 0);
                assert_seen(NULL, FINGERPRINT('A'), 1, "bob:A4");
        }
}

static void whatever_stands_in_place_of_a_claim_file_is_not_one(void **state) {
        struct store_place place = place_of("ada", 'A', '1');

        (void)state;
        for (enum kind kind = 0; kind < KIND_MAX_; kind++) {
                char path[256];
                int r, w;

                (void)snprintf(path, sizeof(path), "claims/ada/%s", ID('1'));
                damage(path, kind, false, 0660);
                r = store_open_claim(&store, &place, O_RDONLY);
                w = store_open_claim(&store, &place, O_RDWR);
                if (r != -EBADMSG || w != -EBADMSG)
                        fail_msg("kind %d: %d, %d", kind, r, w);
                assert_true(counts("ada", 'A', '2') && counts("ada", 'B', '3') && counts("bob", 'A', '4'));
                /* It is damage, and not a push that was cut off: that is for its end to clear away. */
                assert_int_equal(store_tidy(&store), 0);
                assert_true(exists(below("keys/ada/%s/%s", FINGERPRINT('A'), ID('1'))));
        }
}

static void whatever_stands_in_place_of_the_claims_folder_ends_that_users_grants_alone(void **state) {
        struct store_place place = place_of("ada", 'A', '1');

        (void)state;
        for (enum kind kind = 0; kind < KIND_MAX_; kind++) {
                int r;

                if (kind == KIND_HARD_LINK)
                        continue;
                damage("claims/ada", kind, true, 02750);
                r = store_open_claim(&store, &place, O_RDWR);
                if (r != -EBADMSG)
                        fail_msg("kind %d: %d", kind, r);
                assert_true(counts("bob", 'A', '4'));
                assert_false(counts("ada", 'A', '2'));
                assert_int_equal(store_tidy(&store), 0);
        }
}

static void put_content(const char *path, const void *content, size_t length) {
        int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, content, length), length);
        assert_int_equal(close(fd), 0);
}

static void a_key_file_with_other_content_is_damaged(void **state) {
        struct store_place place = place_of("ada", 'A', '1');
        uint8_t raw[GRANT_FILE_MAX + 1] = {0};
        struct grant grant;
        ssize_t n;
        int fd;

        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        fd = open(KEY_PATH("ada", 'A', '1'), O_RDONLY | O_CLOEXEC);
        n = read(fd, raw, sizeof(raw));
        assert_in_range(n, 1, GRANT_FILE_MAX);
        assert_int_equal(close(fd), 0);

        put_content(KEY_PATH("ada", 'A', '1'), raw, (size_t)n - 1);
        assert_int_equal(store_read(&store, &place, &grant), -EBADMSG);
        put_content(KEY_PATH("ada", 'A', '1'), raw, (size_t)n + 1);
        assert_int_equal(store_read(&store, &place, &grant), -EBADMSG);
        put_content(KEY_PATH("ada", 'A', '1'), raw, 0);
        assert_int_equal(store_read(&store, &place, &grant), -EBADMSG);
        put_content(KEY_PATH("ada", 'A', '1'), raw, GRANT_FILE_MAX);
        assert_int_equal(store_read(&store, &place, &grant), -EBADMSG);
        put_content(KEY_PATH("ada", 'A', '1'), raw, GRANT_FILE_MAX + 1);
        assert_int_equal(store_read(&store, &place, &grant), -EBADMSG);
        put_content(KEY_PATH("ada", 'A', '1'), raw, (size_t)n);
        assert_int_equal(store_read(&store, &place, &grant), 0);
}

static void a_key_in_another_users_folder_is_not_that_users(void **state) {
        struct store_place place = place_of("bob", 'A', '1');
        struct grant grant;

        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        assert_int_equal(publish("bob", '2', "A"), 0);
        assert_int_equal(rename(KEY_PATH("ada", 'A', '1'), KEY_PATH("bob", 'A', '1')), 0);
        assert_int_equal(store_read(&store, &place, &grant), -EBADMSG);
}

static void what_is_gone_is_told_from_what_is_damaged(void **state) {
        struct store_place place = place_of("ada", 'A', '1');
        struct grant grant;

        (void)state;
        assert_int_equal(store_read(&store, &place, &grant), -ENOENT);
        assert_int_equal(store_open_claim(&store, &place, O_RDONLY), -ENOENT);
        assert_int_equal(publish("ada", '2', "B"), 0);
        assert_int_equal(store_read(&store, &place, &grant), -ENOENT);
        assert_int_equal(store_open_claim(&store, &place, O_RDONLY), -ENOENT);
        assert_int_equal(publish("ada", '2', "A"), 0);
        assert_int_equal(store_read(&store, &place, &grant), -ENOENT);
}

/* Removing. */

static void removing_a_key_removes_the_folders_it_leaves_empty(void **state) {
        struct store_place a = place_of("ada", 'A', '1'), b = place_of("ada", 'B', '1'), a2 = place_of("ada", 'A', '2');

        (void)state;
        assert_int_equal(publish("ada", '1', "AB"), 0);
        assert_int_equal(publish("ada", '2', "A"), 0);
        assert_int_equal(store_remove_key(&store, &a), 0);
        assert_false(exists(KEY_PATH("ada", 'A', '1')));
        assert_true(exists(KEY_PATH("ada", 'A', '2')));
        assert_int_equal(store_remove_key(&store, &b), 0);
        assert_false(exists(below("keys/ada/%s", FINGERPRINT('B'))));
        assert_true(exists(below("keys/ada")));
        assert_int_equal(store_remove_key(&store, &a2), 0);
        assert_false(exists(below("keys/ada")));
        assert_int_equal(store_remove_claim(&store, &a), 0);
        assert_true(exists(below("claims/ada")));
        assert_int_equal(store_remove_claim(&store, &a2), 0);
        assert_true(store_empty());
}

static void removing_what_is_gone_is_no_error(void **state) {
        struct store_place place = place_of("ada", 'A', '1');

        (void)state;
        assert_int_equal(store_remove_key(&store, &place), 0);
        assert_int_equal(store_remove_claim(&store, &place), 0);
        assert_int_equal(publish("ada", '2', "B"), 0);
        assert_int_equal(store_remove_key(&store, &place), 0);
        assert_int_equal(store_remove_claim(&store, &place), 0);
        assert_true(counts("ada", 'B', '2'));
        assert_int_equal(publish("ada", '2', "A"), 0);
        assert_int_equal(store_remove_key(&store, &place), 0);
        assert_true(counts("ada", 'B', '2') && exists(KEY_PATH("ada", 'A', '2')));
}

static void nothing_is_removed_through_a_symlink(void **state) {
        struct store_place place = place_of("ada", 'A', '1');

        (void)state;
        damage("keys/ada", KIND_SYMLINK, true, 0);
        assert_int_equal(store_remove_key(&store, &place), -EBADMSG);
        damage("claims/ada", KIND_SYMLINK, true, 0);
        assert_int_equal(store_remove_claim(&store, &place), -EBADMSG);
        assert_true(counts("bob", 'A', '4'));
}

static void a_damaged_key_is_removed_like_any_other(void **state) {
        static const enum kind kinds[] = {KIND_SYMLINK,   KIND_FIFO,      KIND_SOCKET, KIND_DEVICE,
                                          KIND_HARD_LINK, KIND_MODE_NONE, KIND_OWNER};
        struct store_place place = place_of("ada", 'A', '1');

        (void)state;
        for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                char path[256];

                (void)snprintf(path, sizeof(path), "keys/ada/%s/%s", FINGERPRINT('A'), ID('1'));
                damage(path, kinds[i], false, 0640);
                assert_int_equal(store_remove_key(&store, &place), 0);
                assert_false(exists(KEY_PATH("ada", 'A', '1')));
                assert_true(counts("ada", 'A', '2'));
        }
}

/* What a kill in the middle leaves. */

static void a_store_in_order_stays_as_it_is(void **state) {
        (void)state;
        assert_int_equal(store_tidy(&store), 0);
        assert_true(store_empty());
        assert_int_equal(publish("ada", '1', "AB"), 0);
        assert_int_equal(publish("bob", '2', "A"), 0);
        assert_int_equal(store_tidy(&store), 0);
        assert_true(counts("ada", 'A', '1') && counts("ada", 'B', '1') && counts("bob", 'A', '2'));
        /* One of its keys was removed: the other still counts. */
        assert_int_equal(unlink(KEY_PATH("ada", 'A', '1')), 0);
        assert_int_equal(store_tidy(&store), 0);
        assert_true(counts("ada", 'B', '1'));
        assert_false(exists(below("keys/ada/%s", FINGERPRINT('A'))));
}

static void keys_without_their_claim_file_are_tidied_away(void **state) {
        (void)state;
        assert_int_equal(publish("ada", '1', "AB"), 0);
        assert_int_equal(publish("ada", '2', "A"), 0);
        assert_int_equal(publish("bob", '3', "A"), 0);
        assert_int_equal(unlink(CLAIM_PATH("ada", '1')), 0);
        assert_int_equal(unlink(CLAIM_PATH("bob", '3')), 0);
        assert_int_equal(rmdir(below("claims/bob")), 0);
        assert_int_equal(store_tidy(&store), 0);
        assert_false(exists(KEY_PATH("ada", 'A', '1')));
        assert_false(exists(below("keys/ada/%s", FINGERPRINT('B'))));
        assert_false(exists(below("keys/bob")));
        assert_true(counts("ada", 'A', '2'));
}

static void claim_files_without_a_key_are_tidied_away(void **state) {
        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        assert_int_equal(publish("ada", '2', "A"), 0);
        assert_int_equal(publish("bob", '3', "A"), 0);
        assert_int_equal(unlink(KEY_PATH("ada", 'A', '1')), 0);
        assert_int_equal(unlink(KEY_PATH("bob", 'A', '3')), 0);
        assert_int_equal(store_tidy(&store), 0);
        assert_false(exists(CLAIM_PATH("ada", '1')));
        assert_false(exists(below("claims/bob")));
        assert_false(exists(below("keys/bob")));
        assert_true(counts("ada", 'A', '2'));
}

static void a_claim_file_whose_id_is_another_users_is_tidied_away(void **state) {
        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        assert_int_equal(publish("bob", '1', "A"), 0);
        assert_int_equal(unlink(KEY_PATH("ada", 'A', '1')), 0);
        assert_int_equal(store_tidy(&store), 0);
        assert_false(exists(CLAIM_PATH("ada", '1')));
        assert_true(counts("bob", 'A', '1'));
}

static void empty_folders_are_tidied_away(void **state) {
        (void)state;
        assert_int_equal(mkdir(below("keys/ada"), 0750), 0);
        assert_int_equal(mkdir(below("keys/bob"), 0750), 0);
        assert_int_equal(mkdir(below("keys/bob/%s", FINGERPRINT('A')), 0750), 0);
        assert_int_equal(mkdir(below("keys/bob/%s", FINGERPRINT('B')), 0750), 0);
        assert_int_equal(mkdir(below("claims/eve"), 0750), 0);
        assert_int_equal(store_tidy(&store), 0);
        assert_true(store_empty());
}

static void what_cannot_be_tidied_away_does_not_keep_the_rest(void **state) {
        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        assert_int_equal(publish("bob", '1', "A"), 0);
        assert_int_equal(publish("eve", '1', "A"), 0);
        assert_int_equal(unlink(KEY_PATH("ada", 'A', '1')), 0);
        assert_int_equal(mkdir(KEY_PATH("ada", 'A', '1'), 0750), 0);
        assert_int_equal(unlink(CLAIM_PATH("ada", '1')), 0);
        assert_int_equal(unlink(CLAIM_PATH("bob", '1')), 0);
        assert_int_equal(unlink(CLAIM_PATH("eve", '1')), 0);
        assert_int_equal(mkdir(CLAIM_PATH("eve", '2'), 0750), 0);
        assert_int_equal(mkdir(below("claims/zoe"), 0750), 0);
        assert_int_equal(store_tidy(&store), -EISDIR);
        assert_false(exists(below("keys/bob")));
        assert_false(exists(below("keys/eve")));
        assert_false(exists(below("claims/bob")));
        assert_false(exists(below("claims/zoe")));
}

/* The helper's side. */

static void assert_denied(int result) {
        int error = errno;

        if (result >= 0)
                fail_msg("the helper may");
        if (error != EACCES && error != EPERM)
                fail_msg("%s", strerror(error));
}

static void the_helper_reads_keys_and_writes_slots(void **state) {
        static const struct connection_id who = {100, 1};
        struct store_place place = place_of("ada", 'A', '1');
        struct store helper;
        struct grant grant;
        char why[256];
        int fd;

        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        scratch_become(SCRATCH_HELPER);
        assert_int_equal(store_open(root, STORE_HELPER, &helper, why), 0);
        assert_int_equal(store_read(&helper, &place, &grant), 0);
        fd = store_open_claim(&helper, &place, O_RDWR);
        assert_true(fd >= 0);
        assert_int_equal(claim_slot(fd, grant.connections, &who, CLAIM_TAKE), CLAIM_TAKEN);
        assert_int_equal(claim_count(fd, grant.connections), 1);
        assert_int_equal(close(fd), 0);
        store_close(&helper);
}

static void the_helper_can_create_rename_and_remove_nothing(void **state) {
        const char *const folders[] = {"keys", "keys/ada", "claims", "claims/ada", "state", "."};
        const char *key, *claim;

        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        scratch_become(SCRATCH_HELPER);
        key = KEY_PATH("ada", 'A', '1');
        claim = CLAIM_PATH("ada", '1');
        assert_denied(open(key, O_WRONLY | O_CLOEXEC));
        assert_denied(open(key, O_RDWR | O_CLOEXEC));
        assert_denied(truncate(key, 0));
        assert_denied(unlink(key));
        assert_denied(unlink(claim));
        assert_denied(chmod(key, 0660));
        assert_denied(chmod(claim, 0666));
        assert_denied(rename(key, claim));
        assert_denied(rename(claim, key));
        assert_denied(link(claim, below("claims/ada/%s", ID('2'))));
        assert_denied(rmdir(below("claims/ada")));
        assert_denied(rename(below("claims/ada"), below("claims/bob")));
        assert_denied(rename(below("keys/ada"), below("keys/bob")));
        assert_denied(rename(below("keys"), below("keys2")));
        for (size_t i = 0; i < ELEMENTS(folders); i++) {
                assert_denied(open(below("%s/new", folders[i]), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
                assert_denied(open(below("%s", folders[i]), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
                assert_denied(mkdir(below("%s/new", folders[i]), 0700));
                assert_denied(symlink("/etc/passwd", below("%s/new", folders[i])));
        }
        assert_denied(open(below("state"), O_RDONLY | O_CLOEXEC));
        scratch_become(SCRATCH_AGENT);
        assert_true(counts("ada", 'A', '1'));
}

static void what_the_helper_makes_of_a_claim_file_gives_no_place_more(void **state) {
        static const struct connection_id who = {100, 1};
        struct store_place place = place_of("ada", 'A', '1');
        int fd;

        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        scratch_become(SCRATCH_HELPER);
        assert_int_equal(truncate(CLAIM_PATH("ada", '1'), 100 * CLAIM_SLOT_SIZE), 0);
        scratch_become(SCRATCH_AGENT);
        fd = store_open_claim(&store, &place, O_RDWR);
        assert_true(fd >= 0);
        assert_int_equal(claim_slot(fd, 2, &who, CLAIM_TAKE), CLAIM_NONE);
        assert_int_equal(claim_count(fd, 2), 2);
        assert_int_equal(close(fd), 0);
}

#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                STORE_TEST(the_agent_opens_what_is_its_own),
                STORE_TEST(a_store_is_closed_once_and_again),
                STORE_TEST(the_helper_opens_it_without_state),
                STORE_TEST(a_stranger_cannot_open_it),
                STORE_TEST(another_user_is_not_taken_for_the_agent),
                STORE_TEST(a_runtime_folder_that_is_not_in_memory_is_refused),
                STORE_TEST(a_folder_of_the_store_that_is_not_in_memory_is_refused),
                STORE_TEST(a_ramfs_is_memory_too),
                STORE_TEST(a_runtime_folder_that_others_can_write_is_refused),
                STORE_TEST(a_runtime_folder_that_is_none_is_refused),
                STORE_TEST(each_folder_must_be_what_the_table_says),
                STORE_TEST(a_long_path_does_not_overrun_the_reason),
                cmocka_unit_test(a_user_name_becomes_a_safe_file_name),
                cmocka_unit_test(two_short_users_never_share_a_file_name),
                cmocka_unit_test(a_user_name_that_is_too_long_for_a_file_becomes_a_hash),
                cmocka_unit_test(the_hash_is_that_of_the_whole_name),
                cmocka_unit_test(a_fingerprint_becomes_a_file_name_and_comes_back),
                cmocka_unit_test(what_is_no_sha256_fingerprint_has_no_file_name),
                cmocka_unit_test(an_id_is_64_small_hex_digits),
                STORE_TEST(what_is_stored_has_owner_group_and_mode_whatever_the_umask_is),
                STORE_TEST(a_umask_that_would_hide_keys_from_the_helper_stores_nothing),
                STORE_TEST(what_is_read_is_what_was_stored),
                STORE_TEST(any_user_name_has_a_place),
                STORE_TEST(without_its_claim_file_a_grant_does_not_count),
                STORE_TEST(a_grant_for_any_number_of_connections_has_an_empty_claim_file),
                STORE_TEST(storing_the_same_again_changes_nothing),
                STORE_TEST(storing_again_finishes_what_was_cut_off),
                STORE_TEST(two_grants_of_one_key_lie_beside_each_other),
                STORE_TEST(what_cannot_be_a_grant_is_not_stored),
                STORE_TEST(without_room_nothing_is_left_not_even_folders),
                STORE_TEST(without_room_what_was_there_stays),
                STORE_TEST(a_repeat_that_fails_leaves_what_it_found),
                STORE_TEST(a_folder_that_is_not_the_stores_takes_no_key),
                STORE_TEST(claim_files_that_have_grown_are_removed_and_no_others),
                STORE_TEST(what_is_no_directory_of_claims_is_not_searched),
                STORE_TEST(a_walk_shows_what_was_asked_for_and_nothing_else),
                STORE_TEST(a_visit_ends_the_walk_with_its_own_result),
                STORE_TEST(a_visit_may_remove_what_it_is_shown),
                STORE_TEST(names_that_the_store_cannot_have_made_are_passed_over),
                STORE_TEST(a_walk_without_descriptors_fails_and_hides_nothing),
                STORE_TEST(a_push_without_descriptors_leaves_nothing),
                STORE_TEST(whatever_stands_in_place_of_a_key_is_not_one_and_hides_no_other),
                STORE_TEST(whatever_stands_in_place_of_a_fingerprints_folder_is_passed_over),
                STORE_TEST(whatever_stands_in_place_of_a_users_folder_is_passed_over),
                STORE_TEST(whatever_stands_in_place_of_a_claim_file_is_not_one),
                STORE_TEST(whatever_stands_in_place_of_the_claims_folder_ends_that_users_grants_alone),
                STORE_TEST(a_key_file_with_other_content_is_damaged),
                STORE_TEST(a_key_in_another_users_folder_is_not_that_users),
                STORE_TEST(what_is_gone_is_told_from_what_is_damaged),
                STORE_TEST(removing_a_key_removes_the_folders_it_leaves_empty),
                STORE_TEST(removing_what_is_gone_is_no_error),
                STORE_TEST(nothing_is_removed_through_a_symlink),
                STORE_TEST(a_damaged_key_is_removed_like_any_other),
                STORE_TEST(a_store_in_order_stays_as_it_is),
                STORE_TEST(keys_without_their_claim_file_are_tidied_away),
                STORE_TEST(claim_files_without_a_key_are_tidied_away),
                STORE_TEST(a_claim_file_whose_id_is_another_users_is_tidied_away),
                STORE_TEST(empty_folders_are_tidied_away),
                STORE_TEST(what_cannot_be_tidied_away_does_not_keep_the_rest),
                STORE_TEST(the_helper_reads_keys_and_writes_slots),
                STORE_TEST(the_helper_can_create_rename_and_remove_nothing),
                STORE_TEST(what_the_helper_makes_of_a_claim_file_gives_no_place_more),
        };

        (void)umask(022);
        scratch_mount_namespace();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
