/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/instance_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

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
static char root[64], file[96], credential[96];

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
        (void)snprintf(file, sizeof(file), "%s/instance-id", root);
        (void)snprintf(credential, sizeof(credential), "%s/exc.instance_id", root);
        assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
        memset(&config, 0, sizeof(config));
        no_stat = no_read = false;
        return 0;
}

static int teardown(void **state) {
        (void)state;
        scratch_become(0);
        no_stat = no_read = false;
        assert_int_equal(umount2("/sys", MNT_DETACH), 0);
        assert_int_equal(umount2(root, MNT_DETACH), 0);
        return rmdir(root);
}

static const char *read_instance(void) {
        memset(&instance, 0x55, sizeof(instance));
        instance_id_read(&config, root, &instance);
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

static void without_any_source_there_is_no_id(void **state) {
        (void)state;
        assert_string_equal(read_instance(), "");
        assert_string_equal(instance.source, "nowhere");
        assert_null(instance.fault);
}

static void the_sources_count_in_their_order(void **state) {
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

static void an_id_may_stand_with_and_without_its_prefix(void **state) {
        (void)state;
        configure("exc:compute:instance/i-1");
        assert_string_equal(read_instance(), "i-1");
        configure("");
        signing_write(file, "exc:compute:instance/i-2");
        assert_string_equal(read_instance(), "i-2");
        signing_write(file, "i-3");
        assert_string_equal(read_instance(), "i-3");
}

static void a_configured_prefix_without_an_id_is_none(void **state) {
        (void)state;
        signing_write(file, "of-file");
        configure("exc:compute:instance/");
        assert_none_for("configuration");
}

static void a_file_that_holds_no_id_leaves_the_guest_without_one(void **state) {
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

static void a_file_with_a_nul_leaves_the_guest_without_an_id(void **state) {
        FILE *stream = fopen(file, "we");

        (void)state;
        assert_non_null(stream);
        assert_int_equal(fwrite("i-1\0i-2", 1, 7, stream), 7);
        assert_int_equal(fclose(stream), 0);
        assert_none_for("instance-id");
}

static void an_id_has_a_greatest_length(void **state) {
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

static void a_file_that_others_own_or_may_write_leaves_the_guest_without_an_id(void **state) {
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

static void what_is_no_file_leaves_the_guest_without_an_id(void **state) {
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

static void a_file_that_cannot_be_read_leaves_the_guest_without_an_id(void **state) {
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

static void a_missing_folder_is_no_source(void **state) {
        (void)state;
        give_credential("of-credential");
        instance_id_read(&config, "/nowhere/at/all", &instance);
        assert_string_equal(instance.id, "of-credential");
        signing_write(file, "i-1");
        instance_id_read(&config, file, &instance);
        assert_string_equal(instance.id, "of-credential");
}

static void a_credential_may_be_the_services_own(void **state) {
        (void)state;
        give_credential("exc:compute:instance/i-1\n");
        assert_int_equal(chown(credential, SCRATCH_AGENT, SCRATCH_AGENT), 0);
        assert_int_equal(chmod(credential, 0440), 0);
        assert_string_equal(read_instance(), "i-1");
        assert_non_null(strstr(instance.source, "credential"));
}

static void a_credential_that_holds_no_id_leaves_the_guest_without_one(void **state) {
        (void)state;
        signing_write(DMI "/chassis_asset_tag", "exc:compute:instance/of-tag\n");
        give_credential("two words");
        assert_none_for("credential");
}

static void a_credentials_folder_without_ours_is_no_source(void **state) {
        char folder[5000];

        (void)state;
        signing_write(DMI "/chassis_asset_tag", "exc:compute:instance/of-tag\n");
        give_credential("x");
        assert_int_equal(unlink(credential), 0);
        assert_string_equal(read_instance(), "of-tag");
        memset(folder, 'x', sizeof(folder));
        folder[0] = '/';
        folder[sizeof(folder) - 1] = '\0';
        assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
        assert_string_equal(read_instance(), "of-tag");
}

static void of_dmi_only_a_value_with_the_prefix_counts(void **state) {
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

static void a_dmi_value_with_the_prefix_and_no_id_leaves_the_guest_without_one(void **state) {
        static const char *const texts[] = {"exc:compute:instance/\n", "exc:compute:instance/i 1\n",
                                            "exc:compute:instance/i-1 \n"};

        (void)state;
        signing_write(DMI "/product_serial", "exc:compute:instance/of-serial\n");
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                signing_write(DMI "/chassis_asset_tag", texts[i]);
                assert_none_for("asset tag");
        }
}

static void a_serial_that_only_root_may_read_is_no_source_for_others(void **state) {
        (void)state;
        signing_write(DMI "/product_serial", "exc:compute:instance/of-serial\n");
        assert_int_equal(chmod(DMI "/product_serial", 0400), 0);
        assert_string_equal(read_instance(), "of-serial");
        scratch_become(SCRATCH_AGENT);
        assert_string_equal(read_instance(), "");
        assert_null(instance.fault);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(without_any_source_there_is_no_id),
                TEST(the_sources_count_in_their_order),
                TEST(an_id_may_stand_with_and_without_its_prefix),
                TEST(a_configured_prefix_without_an_id_is_none),
                TEST(a_file_that_holds_no_id_leaves_the_guest_without_one),
                TEST(a_file_with_a_nul_leaves_the_guest_without_an_id),
                TEST(an_id_has_a_greatest_length),
                TEST(a_file_that_others_own_or_may_write_leaves_the_guest_without_an_id),
                TEST(what_is_no_file_leaves_the_guest_without_an_id),
                TEST(a_file_that_cannot_be_read_leaves_the_guest_without_an_id),
                TEST(a_missing_folder_is_no_source),
                TEST(a_credential_may_be_the_services_own),
                TEST(a_credential_that_holds_no_id_leaves_the_guest_without_one),
                TEST(a_credentials_folder_without_ours_is_no_source),
                TEST(of_dmi_only_a_value_with_the_prefix_counts),
                TEST(a_dmi_value_with_the_prefix_and_no_id_leaves_the_guest_without_one),
                TEST(a_serial_that_only_root_may_read_is_no_source_for_others),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
