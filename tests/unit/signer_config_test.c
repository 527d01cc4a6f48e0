/* SPDX-License-Identifier: Apache-2.0 */
/* Needs root: a configuration has to be root's. */
#include "cloud/signer/signer_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY "Key=/k.pem\n"

static char directory[64], path[128];
static struct signer_config config;
static char error[CONF_ERROR_MAX];

static int setup(void **state) {
        (void)state;
        strcpy(directory, "/tmp/signer_config_test.XXXXXX");
        config = (struct signer_config){.key_timeout_s = 0};
        if (!mkdtemp(directory))
                return -1;
        (void)snprintf(path, sizeof(path), "%s/signer.conf", directory);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        signer_config_clear(&config);
        (void)unlink(path);
        return rmdir(directory);
}

static int load(const char *text) {
        FILE *to = fopen(path, "we");
        int r;

        assert_non_null(to);
        (void)fprintf(to, "[Signer]\n%s", text);
        assert_int_equal(fclose(to), 0);
        assert_int_equal(chmod(path, 0644), 0);
        signer_config_clear(&config);
        r = signer_config_load(path, NULL, &config, error);
        return r;
}

static void load_well(const char *text) {
        if (load(text) < 0)
                fail_msg("%s", error);
}

static void assert_error(const char *text, const char *what) {
        assert_true(load(text) < 0);
        if (strncmp(error, path, strlen(path)) != 0 || !strstr(error, what))
                fail_msg("\"%s\" should begin with %s and contain \"%s\"", error, path, what);
}

static void defaults_deny_root_alone(void **state) {
        (void)state;
        load_well(KEY);
        assert_int_equal(config.max_ttl_s, SIGNER_MAX_TTL_S);
        assert_string_equal(config.log_directory, SIGNER_LOG_DIRECTORY);
        assert_true(config.push_rate > 0 && config.revoke_rate > 0 && config.alarm_rate > 0);
        assert_false(signer_config_allows_user(&config, "root"));
        assert_false(signer_config_allows_user(&config, "Root"));
        assert_true(signer_config_allows_user(&config, "root2"));
        assert_true(signer_config_allows_user(&config, "alice"));
        assert_true(signer_config_allows_instance(&config, "42"));
}

static void deny_users_replaces_the_default_and_adds_up(void **state) {
        (void)state;
        load_well(KEY "DenyUsers=admin svc-*\nDenyUsers=bob\n");
        assert_true(signer_config_allows_user(&config, "root"));
        assert_false(signer_config_allows_user(&config, "admin"));
        assert_true(signer_config_allows_user(&config, "admin1"));
        assert_false(signer_config_allows_user(&config, "svc-"));
        assert_false(signer_config_allows_user(&config, "SVC-backup"));
        assert_true(signer_config_allows_user(&config, "svc"));
        assert_false(signer_config_allows_user(&config, "bob"));
}

static void allow_users_excludes_all_others_and_denials_win(void **state) {
        (void)state;
        load_well(KEY "AllowUsers=root dev-* op\n");
        assert_false(signer_config_allows_user(&config, "root"));
        assert_true(signer_config_allows_user(&config, "dev-1"));
        assert_true(signer_config_allows_user(&config, "op"));
        assert_false(signer_config_allows_user(&config, "Op"));
        assert_false(signer_config_allows_user(&config, "alice"));
        load_well(KEY "AllowUsers=*\nDenyUsers=*\n");
        assert_false(signer_config_allows_user(&config, "alice"));
}

static void instances_are_limited(void **state) {
        (void)state;
        load_well(KEY "Instances=42 web-*\nDenyInstances=web-secret\n");
        assert_true(signer_config_allows_instance(&config, "42"));
        assert_false(signer_config_allows_instance(&config, "4"));
        assert_false(signer_config_allows_instance(&config, "421"));
        assert_true(signer_config_allows_instance(&config, "web-1"));
        assert_false(signer_config_allows_instance(&config, "web-secret"));
}

static void one_key_is_configured(void **state) {
        (void)state;
        assert_error("", "Key, KeyCommand: expected one of them");
        assert_error(KEY "KeyCommand=sign\n", "Key, KeyCommand: expected one of them");
        assert_error(KEY "PublicKey=/p.pem\n", "PublicKey: only goes with KeyCommand");
        load_well("KeyCommand=aws kms sign --key-id x\nPublicKey=/p.pem\nKeyId=kms-1\n");
        assert_string_equal(config.key_id, "kms-1");
        load_well("Key=credential:signing.key\n");
        assert_string_equal(config.key, "credential:signing.key");
}

static void wrong_values_are_errors(void **state) {
        static const struct {
                const char *text, *what;
        } wrong[] = {
                {"Key=key.pem\n", "Key: invalid path"},
                {"Key=credential:\n", "Key: invalid value"},
                {"Key=credential:../x\n", "Key: invalid value"},
                {KEY "MaxTtl=0\n", "MaxTtl: invalid value '0': expected 1..3600 seconds"},
                {KEY "MaxTtl=3601\n", "MaxTtl: invalid value"},
                {KEY "PushRate=-1\n", "PushRate: invalid value"},
                {KEY "PushBurst=0\n", "PushBurst: invalid value"},
                {KEY "DenyUsers=\n", "DenyUsers: the list is empty"},
                {KEY "DenyUsers=a*b\n", "DenyUsers: invalid value 'a*b'"},
                {KEY "DenyUsers=roo?\n", "DenyUsers: invalid value 'roo?'"},
                {KEY "DenyUsers=root,admin\n", "DenyUsers: invalid value 'root,admin'"},
                {KEY "KeyId=a b\n", "KeyId: expected printable ASCII"},
                {KEY "Log=log\n", "Log: invalid path"},
                {KEY "maxttl=5\n", "maxttl: invalid key; write MaxTtl"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
                assert_error(wrong[i].text, wrong[i].what);
}

static void missing_file_is_an_error(void **state) {
        (void)state;
        assert_true(signer_config_load("/nowhere/signer.conf", NULL, &config, error) < 0);
        signer_config_clear(&config);
        assert_true(signer_config_load("/tmp/no-such-signer.conf", NULL, &config, error) < 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(defaults_deny_root_alone),
                TEST(deny_users_replaces_the_default_and_adds_up),
                TEST(allow_users_excludes_all_others_and_denials_win),
                TEST(instances_are_limited),
                TEST(one_key_is_configured),
                TEST(wrong_values_are_errors),
                TEST(missing_file_is_an_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
