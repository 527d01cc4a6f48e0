/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/instance_id.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/file_time.h"
#include "tests/unit/scratch.h"
#include "tests/unit/signing.h"

#define DMI "/sys/class/dmi/id"

/* Linked with --wrap=fstat and --wrap=read. */
static bool no_stat, no_read;

int __real_fstat(int fd, struct stat *ret);
int __wrap_fstat(int fd, struct stat *ret);
int __wrap_fstat(int fd, struct stat *ret) {
        errno = EIO;
        return no_stat ? -1 : __real_fstat(fd, ret);
}

ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size) {
        errno = EIO;
        return no_read ? -1 : __real_read(fd, buffer, size);
}

static struct config config;
static struct instance_id instance;
static char root[64], runtime[80], file[96], credential[96];

/* /sys, the configuration and the credentials are an empty tmpfs each. */
static int setup(void **state) {
        (void)state;
        scratch_mount_namespace();
        assert_int_equal(mount("tmpfs", "/sys", "tmpfs", 0, NULL), 0);
        assert_int_equal(mkdir("/sys/class", 0755), 0);
        assert_int_equal(mkdir("/sys/class/dmi", 0755), 0);
        assert_int_equal(mkdir(DMI, 0755), 0);
        (void)snprintf(root, sizeof(root), "/tmp/exc-instance-XXXXXX");
        assert_non_null(mkdtemp(root));
        assert_int_equal(mount("tmpfs", root, "tmpfs", 0, "mode=0755"), 0);
        (void)snprintf(runtime, sizeof(runtime), "%s/run", root);
        (void)snprintf(file, sizeof(file), "%s/instance-id", root);
        (void)snprintf(credential, sizeof(credential), "%s/exc.instance_id", root);
        assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
        memset(&config, 0, sizeof(config));
        memset(&instance, 0, sizeof(instance));
        no_stat = no_read = false;
        return 0;
}

static int teardown(void **state) {
        (void)state;
        scratch_become(0);
        no_stat = no_read = false;
        instance_id_clear(&instance);
        assert_int_equal(umount2("/sys", MNT_DETACH), 0);
        assert_int_equal(umount2(root, MNT_DETACH), 0);
        return rmdir(root);
}

static const char *read_instance(void) {
        instance_id_refresh(&instance, &config, root, runtime);
        assert_non_null(instance.source);
        assert_true(strlen(instance.source) > 0);
        return instance.id;
}

static void configure(const char *id) {
        (void)snprintf(config.instance_id, sizeof(config.instance_id), "%s", id);
}

static void give_credential(const char *text) {
        assert_int_equal(setenv("CREDENTIALS_DIRECTORY", root, 1), 0);
        signing_write(credential, text);
}

static void assert_none_for(const char *source) {
        assert_string_equal(read_instance(), "");
        assert_non_null(instance.fault);
        assert_non_null(strstr(instance.source, source));
}

static void no_source_means_no_id(void **state) {
        (void)state;
        assert_string_equal(read_instance(), "");
        assert_string_equal(instance.source, "no source");
        assert_null(instance.fault);
}

static void first_source_decides(void **state) {
        (void)state;
        configure("of-config");
        signing_write(file, "of-file\n");
        give_credential("of-credential");
        signing_write(DMI "/chassis_asset_tag", "exc:compute:instance/of-tag\n");
        signing_write(DMI "/product_serial", "exc:compute:instance/of-serial\n");
        assert_string_equal(read_instance(), "of-config");
        configure("");
        assert_string_equal(read_instance(), "of-file");
        assert_int_equal(unlink(file), 0);
        assert_string_equal(read_instance(), "of-credential");
        assert_int_equal(unlink(credential), 0);
        assert_string_equal(read_instance(), "of-tag");
        assert_non_null(strstr(instance.source, "asset tag"));
        assert_int_equal(unlink(DMI "/chassis_asset_tag"), 0);
        assert_string_equal(read_instance(), "of-serial");
        assert_null(instance.fault);
        assert_int_equal(unlink(DMI "/product_serial"), 0);
        assert_string_equal(read_instance(), "");
}

static void other_id_of_a_later_source_is_reported(void **state) {
        char why[INSTANCE_ID_WHY_MAX];

        (void)state;
        signing_write(file, "i-1\n");
        assert_string_equal(read_instance(), "i-1");
        assert_false(instance_id_disputed(&instance, why));
        signing_write(DMI "/chassis_asset_tag", "exc:compute:instance/i-1\n");
        assert_string_equal(read_instance(), "i-1");
        assert_false(instance_id_disputed(&instance, why));
        /* A copy of the disk, in another machine. */
        signing_write(DMI "/chassis_asset_tag", "exc:compute:instance/i-2\n");
        assert_string_equal(read_instance(), "i-1");
        assert_true(instance_id_disputed(&instance, why));
        assert_non_null(
                strstr(why, "the file instance-id says i-1, which counts, and the DMI chassis asset tag says i-2;"));
        /* The first that disagrees. */
        give_credential("i-3");
        assert_string_equal(read_instance(), "i-1");
        assert_true(instance_id_disputed(&instance, why));
        assert_non_null(strstr(why, "the credential exc.instance_id says i-3"));
        configure("i-2");
        assert_string_equal(read_instance(), "i-2");
        assert_true(instance_id_disputed(&instance, why));
        assert_non_null(
                strstr(why, "InstanceId in the configuration says i-2, which counts, and the file instance-id"));
        /* What is no id disagrees with none. */
        configure("");
        assert_int_equal(unlink(credential), 0);
        signing_write(DMI "/chassis_asset_tag", "exc:compute:instance/a b\n");
        signing_write(DMI "/product_serial", "Default string\n");
        assert_string_equal(read_instance(), "i-1");
        assert_false(instance_id_disputed(&instance, why));
        signing_write(file, "a b\n");
        signing_write(DMI "/chassis_asset_tag", "exc:compute:instance/i-2\n");
        assert_string_equal(read_instance(), "");
        assert_false(instance_id_disputed(&instance, why));
}

static void prefix_is_optional(void **state) {
        (void)state;
        configure("exc:compute:instance/i-1");
        assert_string_equal(read_instance(), "i-1");
        configure("");
        signing_write(file, "exc:compute:instance/i-2");
        assert_string_equal(read_instance(), "i-2");
        signing_write(file, "i-3");
        assert_string_equal(read_instance(), "i-3");
}

static void prefix_alone_is_no_id(void **state) {
        (void)state;
        signing_write(file, "of-file");
        configure("exc:compute:instance/");
        assert_none_for("configuration");
}

static void malformed_file_means_no_id(void **state) {
        static const char *const texts[] = {
                "",
                "\n",
                "exc:compute:instance/",
                "exc:compute:instance/\n",
                "two words",
                "one\ntwo\n",
                "one\n\n",
                " one",
                "one ",
                "one\t",
                "one\r\n",
                "\xc3\xa4",
                "a\x7f",
                "a\x01",
        };

        (void)state;
        give_credential("of-credential");
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                signing_write(file, texts[i]);
                assert_none_for("instance-id");
        }
}

static void file_with_nul_means_no_id(void **state) {
        FILE *stream = fopen(file, "we");

        (void)state;
        assert_non_null(stream);
        assert_int_equal(fwrite("i-1\0i-2", 1, 7, stream), 7);
        assert_int_equal(fclose(stream), 0);
        assert_none_for("instance-id");
}

static void length_is_limited(void **state) {
        char text[400];

        (void)state;
        memset(text, 'x', sizeof(text));
        text[CONFIG_INSTANCE_ID_MAX] = '\0';
        signing_write(file, text);
        assert_int_equal(strlen(read_instance()), CONFIG_INSTANCE_ID_MAX);
        for (size_t n = CONFIG_INSTANCE_ID_MAX + 1; n < sizeof(text); n++) {
                memset(text, 'x', sizeof(text));
                text[n] = '\0';
                signing_write(file, text);
                assert_none_for("instance-id");
        }
        memset(text, 'x', sizeof(text));
        memcpy(text, INSTANCE_ID_PREFIX, strlen(INSTANCE_ID_PREFIX));
        text[strlen(INSTANCE_ID_PREFIX) + CONFIG_INSTANCE_ID_MAX] = '\n';
        text[strlen(INSTANCE_ID_PREFIX) + CONFIG_INSTANCE_ID_MAX + 1] = '\0';
        signing_write(file, text);
        assert_int_equal(strlen(read_instance()), CONFIG_INSTANCE_ID_MAX);
}

static void unsafe_owner_or_mode_means_no_id(void **state) {
        (void)state;
        signing_write(file, "i-1");
        assert_int_equal(chmod(file, 0664), 0);
        assert_none_for("instance-id");
        assert_int_equal(chmod(file, 0646), 0);
        assert_none_for("instance-id");
        assert_int_equal(chmod(file, 0644), 0);
        assert_int_equal(chown(file, SCRATCH_OTHER, 0), 0);
        assert_none_for("instance-id");
        assert_int_equal(chown(file, 0, 0), 0);
        assert_string_equal(read_instance(), "i-1");
}

static void special_file_means_no_id(void **state) {
        (void)state;
        assert_int_equal(mkdir(file, 0755), 0);
        assert_none_for("instance-id");
        assert_int_equal(rmdir(file), 0);
        assert_int_equal(mkfifo(file, 0644), 0);
        assert_none_for("instance-id");
        assert_int_equal(unlink(file), 0);
        assert_int_equal(symlink("/dev/null", file), 0);
        assert_none_for("instance-id");
}

static void unreadable_file_means_no_id(void **state) {
        (void)state;
        give_credential("of-credential");
        signing_write(file, "i-1");
        assert_int_equal(chmod(file, 0600), 0);
        scratch_become(SCRATCH_AGENT);
        assert_none_for("instance-id");
        scratch_become(0);
        no_stat = true;
        assert_none_for("instance-id");
        no_stat = false;
        no_read = true;
        assert_none_for("instance-id");
        no_read = false;
        assert_string_equal(read_instance(), "i-1");
}

static void missing_directory_is_no_source(void **state) {
        (void)state;
        give_credential("of-credential");
        instance_id_refresh(&instance, &config, "/nowhere/at/all", runtime);
        assert_string_equal(instance.id, "of-credential");
        signing_write(file, "i-1");
        instance_id_refresh(&instance, &config, file, runtime);
        assert_string_equal(instance.id, "of-credential");
}

static void credential_of_service_user_is_accepted(void **state) {
        (void)state;
        give_credential("exc:compute:instance/i-1\n");
        assert_int_equal(chown(credential, SCRATCH_AGENT, SCRATCH_AGENT), 0);
        assert_int_equal(chmod(credential, 0440), 0);
        assert_string_equal(read_instance(), "i-1");
        assert_non_null(strstr(instance.source, "credential"));
}

static void malformed_credential_means_no_id(void **state) {
        (void)state;
        signing_write(DMI "/chassis_asset_tag", "exc:compute:instance/of-tag\n");
        give_credential("two words");
        assert_none_for("credential");
}

static void missing_credential_is_no_source(void **state) {
        char dir[5000];

        (void)state;
        signing_write(DMI "/chassis_asset_tag", "exc:compute:instance/of-tag\n");
        give_credential("x");
        assert_int_equal(unlink(credential), 0);
        assert_string_equal(read_instance(), "of-tag");
        memset(dir, 'x', sizeof(dir));
        dir[0] = '/';
        dir[sizeof(dir) - 1] = '\0';
        assert_int_equal(setenv("CREDENTIALS_DIRECTORY", dir, 1), 0);
        assert_string_equal(read_instance(), "of-tag");
}

static void dmi_value_needs_prefix(void **state) {
        static const char *const texts[] = {"",
                                            "\n",
                                            "Default string\n",
                                            "i-1\n",
                                            "exc:compute:instance\n",
                                            "EXC:compute:instance/i-1\n",
                                            " exc:compute:instance/i-1\n"};

        (void)state;
        signing_write(DMI "/product_serial", "exc:compute:instance/of-serial\n");
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                signing_write(DMI "/chassis_asset_tag", texts[i]);
                assert_string_equal(read_instance(), "of-serial");
        }
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                signing_write(DMI "/product_serial", texts[i]);
                assert_string_equal(read_instance(), "");
                assert_null(instance.fault);
        }
}

static void malformed_dmi_value_with_prefix_means_no_id(void **state) {
        static const char *const texts[] = {"exc:compute:instance/\n", "exc:compute:instance/i 1\n",
                                            "exc:compute:instance/i-1 \n"};

        (void)state;
        signing_write(DMI "/product_serial", "exc:compute:instance/of-serial\n");
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                signing_write(DMI "/chassis_asset_tag", texts[i]);
                assert_none_for("asset tag");
        }
}

static void unreadable_serial_is_no_source(void **state) {
        (void)state;
        signing_write(DMI "/product_serial", "exc:compute:instance/of-serial\n");
        assert_int_equal(chmod(DMI "/product_serial", 0400), 0);
        assert_string_equal(read_instance(), "of-serial");
        scratch_become(SCRATCH_AGENT);
        assert_string_equal(read_instance(), "");
        assert_null(instance.fault);
}

/* As if the files had been like that for long. */
static const char *read_settled(void) {
        const char *id;

        file_time_tick();
        id = read_instance();
        instance.files.unsettled = false;
        return id;
}

static void settled_id_is_read_again_after_change(void **state) {
        (void)state;
        assert_string_equal(read_settled(), "");
        signing_write(DMI "/product_serial", "exc:compute:instance/of-serial\n");
        assert_string_equal(read_settled(), "of-serial");
        signing_write(DMI "/chassis_asset_tag", "exc:compute:instance/of-tag\n");
        assert_string_equal(read_settled(), "of-tag");
        give_credential("of-credential");
        /* The environment of a service does not change while it runs. */
        instance.files.unsettled = true;
        assert_string_equal(read_settled(), "of-credential");
        signing_write(file, "of-file-1");
        assert_string_equal(read_settled(), "of-file-1");
        signing_write(file, "of-file-2");
        assert_string_equal(read_settled(), "of-file-2");
        assert_int_equal(chmod(file, 0666), 0);
        assert_string_equal(read_settled(), "");
        assert_int_equal(chmod(file, 0644), 0);
        assert_string_equal(read_settled(), "of-file-2");
        configure("of-config");
        assert_string_equal(read_settled(), "of-config");
        configure("");
        assert_string_equal(read_settled(), "of-file-2");
        assert_int_equal(unlink(file), 0);
        assert_string_equal(read_settled(), "of-credential");
}

static void settled_id_is_kept(void **state) {
        (void)state;
        signing_write(file, "i-1");
        assert_string_equal(read_settled(), "i-1");
        no_read = true; /* it would fail */
        assert_string_equal(read_instance(), "i-1");
        assert_null(instance.fault);
}

static void failed_read_is_repeated(void **state) {
        (void)state;
        signing_write(DMI "/chassis_asset_tag", "exc:compute:instance/of-tag\n");
        assert_string_equal(read_settled(), "of-tag");
        instance_id_clear(&instance);
        no_read = true;
        assert_string_equal(read_instance(), "");
        no_read = false;
        assert_string_equal(read_settled(), "of-tag");
        signing_write(file, "i-1");
        no_stat = true;
        assert_none_for("instance-id");
        no_stat = false;
        assert_string_equal(read_settled(), "i-1");
}

/* --- the metadata service ---------------------------------------------------------------------------------------- */

static void learn(const char *id) {
        char path[96];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/state", runtime);
        assert_true((mkdir(runtime, 0755) == 0 && mkdir(path, 0700) == 0) || errno == EEXIST);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(instance_id_learn(fd, id), 0);
        assert_int_equal(close(fd), 0);
}

static void configure_metadata(const char *lines) {
        char path[96], text[256];

        (void)snprintf(path, sizeof(path), "%s/metadata.conf", root);
        (void)snprintf(text, sizeof(text), "[Metadata]\n%s", lines);
        signing_write(path, text);
}

static void learnt_id_counts_last_and_only_where_it_is_configured(void **state) {
        (void)state;
        learn("i-0123456789abcdef0");
        assert_string_equal(read_instance(), "");
        configure_metadata("User=alice\n");
        assert_string_equal(read_instance(), "");
        configure_metadata("InstanceId=yes\n");
        assert_string_equal(read_instance(), "i-0123456789abcdef0");
        assert_string_equal(instance.source, "the metadata service");
        signing_write(DMI "/product_serial", "exc:compute:instance/of-serial\n");
        assert_string_equal(read_instance(), "of-serial");
        assert_string_equal(instance.other, "i-0123456789abcdef0");
}

static void learnt_id_is_replaced(void **state) {
        (void)state;
        configure_metadata("InstanceId=yes\n");
        assert_string_equal(read_instance(), "");
        learn("i-0123456789abcdef0");
        assert_string_equal(read_instance(), "i-0123456789abcdef0");
        learn("i-0123456789abcdef1");
        assert_string_equal(read_instance(), "i-0123456789abcdef1");
}

static void learnt_id_of_another_form_is_none(void **state) {
        (void)state;
        configure_metadata("InstanceId=yes\nFormat=exoscale\n");
        learn("i-0123456789abcdef0");
        assert_none_for("the metadata service");
        learn("5f3c1d6e-0000-4000-8000-0123456789ab");
        assert_string_equal(read_instance(), "5f3c1d6e-0000-4000-8000-0123456789ab");
        configure_metadata("InstanceId=maybe\n");
        assert_string_equal(read_instance(), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(no_source_means_no_id),
                TEST(first_source_decides),
                TEST(other_id_of_a_later_source_is_reported),
                TEST(prefix_is_optional),
                TEST(prefix_alone_is_no_id),
                TEST(malformed_file_means_no_id),
                TEST(file_with_nul_means_no_id),
                TEST(length_is_limited),
                TEST(unsafe_owner_or_mode_means_no_id),
                TEST(special_file_means_no_id),
                TEST(unreadable_file_means_no_id),
                TEST(missing_directory_is_no_source),
                TEST(credential_of_service_user_is_accepted),
                TEST(malformed_credential_means_no_id),
                TEST(missing_credential_is_no_source),
                TEST(dmi_value_needs_prefix),
                TEST(malformed_dmi_value_with_prefix_means_no_id),
                TEST(unreadable_serial_is_no_source),
                TEST(settled_id_is_read_again_after_change),
                TEST(settled_id_is_kept),
                TEST(failed_read_is_repeated),
                TEST(learnt_id_counts_last_and_only_where_it_is_configured),
                TEST(learnt_id_is_replaced),
                TEST(learnt_id_of_another_form_is_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
