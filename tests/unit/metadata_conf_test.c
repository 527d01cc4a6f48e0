/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/metadata_conf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/signing.h"

static char dir[64], file[96];
static struct metadata_conf conf;

static int setup(void **state) {
        (void)state;
        (void)snprintf(dir, sizeof(dir), "/tmp/exc-metadata-XXXXXX");
        assert_non_null(mkdtemp(dir));
        assert_int_equal(chmod(dir, 0755), 0);
        (void)snprintf(file, sizeof(file), "%s/" METADATA_CONF_FILE, dir);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        metadata_conf_clear(&conf);
        (void)unlink(file);
        return rmdir(dir);
}

static int load(const char *text) {
        metadata_conf_clear(&conf);
        if (text)
                signing_write(file, text);
        return metadata_conf_load(dir, NULL, NULL, NULL, &conf);
}

static void assert_defaults(void) {
        assert_string_equal(conf.user, "");
        assert_int_equal(conf.max_age_s, 900);
        assert_int_equal(conf.format, METADATA_EC2);
        assert_int_equal(conf.addresses.n, 0);
        assert_true(conf.token_required);
        assert_false(conf.instance_id);
}

static void without_a_file_nothing_is_configured(void **state) {
        (void)state;
        assert_int_equal(load(NULL), -ENOENT);
        assert_defaults();
        assert_string_equal(conf.error, "");
        assert_int_equal(metadata_conf_load("/nowhere/at/all", NULL, NULL, NULL, &conf), -ENOENT);
}

static void file_without_a_line_has_the_defaults(void **state) {
        (void)state;
        assert_int_equal(load("[Metadata]\n"), 0);
        assert_defaults();
        assert_int_equal(load(""), 0);
        assert_defaults();
}

static void every_key_is_read(void **state) {
        (void)state;
        assert_int_equal(load("[Metadata]\nUser=ubuntu\nMaxAge=600\nFormat=cloudstack\nAddress=10.1.1.1 fd00::1\n"
                              "TokenRequired=no\nInstanceId=yes\n"),
                         0);
        assert_string_equal(conf.user, "ubuntu");
        assert_int_equal(conf.max_age_s, 600);
        assert_int_equal(conf.format, METADATA_CLOUDSTACK);
        assert_int_equal(conf.addresses.n, 2);
        assert_string_equal(conf.addresses.item[1], "fd00::1");
        assert_false(conf.token_required);
        assert_true(conf.instance_id);
        assert_int_equal(load("[Metadata]\nUser=dana@corp.example\nFormat=exoscale\n"), 0);
        assert_string_equal(conf.user, "dana@corp.example");
        assert_int_equal(conf.format, METADATA_EXOSCALE);
}

static void wrong_value_is_an_error_and_allows_nothing(void **state) {
        static const char *const wrong[] = {
                "User=",
                "User=a b",
                "User=a*",
                "MaxAge=0",
                "MaxAge=59",
                "MaxAge=86401",
                "MaxAge=15min",
                "Format=gce",
                "Address=metadata.example.org",
                "Address=http://169.254.169.254",
                "Address=169.254.169.254:80",
                "Address=[fd00:ec2::254]",
                "Address=1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5",
                "Address=",
                "TokenRequired=maybe",
                "InstanceId=true",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                char text[256];

                (void)snprintf(text, sizeof(text), "[Metadata]\nUser=ubuntu\nInstanceId=yes\n%s\n", wrong[i]);
                assert_int_equal(load(text), -EINVAL);
                assert_non_null(strstr(conf.error, METADATA_CONF_FILE ":4: "));
                assert_defaults();
        }
}

static void file_that_others_can_write_allows_nothing(void **state) {
        (void)state;
        assert_int_equal(load("[Metadata]\nUser=ubuntu\n"), 0);
        assert_int_equal(chmod(file, 0666), 0);
        assert_int_equal(load(NULL), -EINVAL);
        assert_non_null(strstr(conf.error, "writable by others"));
        assert_defaults();
}

static void id_has_exactly_the_form_of_its_service(void **state) {
        static const struct {
                enum metadata_format format;
                const char *id;
                bool valid;
        } cases[] = {
                {METADATA_EC2, "i-0123456789abcdef0", true},
                {METADATA_EC2, "i-0000002a", true},
                {METADATA_EC2, "i-0123456789abcdef0123456789abcdef", true},
                {METADATA_EC2, "i-0123456789abcdef0123456789abcdef0", false},
                {METADATA_EC2, "i-000002a", false},
                {METADATA_EC2, "i-0123456789ABCDEF0", false},
                {METADATA_EC2, "I-0123456789abcdef0", false},
                {METADATA_EC2, "i-0123456789abcdef0 ", false},
                {METADATA_EC2, "i-", false},
                {METADATA_EC2, "", false},
                {METADATA_EC2, "5f3c1d6e-0000-4000-8000-0123456789ab", false},
                {METADATA_EXOSCALE, "5f3c1d6e-0000-4000-8000-0123456789ab", true},
                {METADATA_CLOUDSTACK, "5f3c1d6e-0000-4000-8000-0123456789ab", true},
                {METADATA_CLOUDSTACK, "5f3c1d6e-0000-4000-8000-0123456789abc", false},
                {METADATA_CLOUDSTACK, "5f3c1d6e-0000-4000-8000-0123456789a", false},
                {METADATA_CLOUDSTACK, "5f3c1d6e000040008000-0123456789ab", false},
                {METADATA_CLOUDSTACK, "i-2-1234-VM", true},
                {METADATA_CLOUDSTACK, "i-2-1234-VMs", false},
                {METADATA_CLOUDSTACK, "i-2-VM", false},
                {METADATA_CLOUDSTACK, "i--1-VM", false},
                {METADATA_CLOUDSTACK, "i-0123456789abcdef0", false},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                if (metadata_instance_id_valid(cases[i].format, cases[i].id) != cases[i].valid)
                        fail_msg("%s", cases[i].id);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(without_a_file_nothing_is_configured),
                TEST(file_without_a_line_has_the_defaults),
                TEST(every_key_is_read),
                TEST(wrong_value_is_an_error_and_allows_nothing),
                TEST(file_that_others_can_write_allows_nothing),
                TEST(id_has_exactly_the_form_of_its_service),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
