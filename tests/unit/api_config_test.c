/* SPDX-License-Identifier: Apache-2.0 */
/* Runs as root: a configuration is root's. */
#include "cloud/api/config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/api_config_test.XXXXXX";
static char path[64], why[API_CONFIG_WHY_MAX];

static int begin(void **state) {
        (void)state;
        if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
                return -1;
        return snprintf(path, sizeof(path), "%s/api.conf", dir) < (int)sizeof(path) ? 0 : -1;
}

static int end(void **state) {
        (void)state;
        (void)unlink(path);
        return rmdir(dir);
}

/* Loads a file of [Api] and these lines. */
static struct api_config *load(const char *lines) {
        struct api_config *config = NULL;
        FILE *file = fopen(path, "w");

        assert_non_null(file);
        (void)fprintf(file, "[Api]\n%s\n", lines);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(chmod(path, 0644), 0);
        if (api_config_load(path, NULL, &config, why) < 0)
                assert_null(config);
        return config;
}

static void empty_file_has_the_defaults(void **state) {
        struct api_config *config = load("");

        (void)state;
        assert_non_null(config);
        assert_string_equal(config->listen, "");
        assert_string_equal(config->database, "/var/lib/exc-compute-api/compute.db");
        assert_string_equal(config->signer, "/run/exc-signer/signer.sock");
        assert_string_equal(config->public_url, "");
        assert_string_equal(config->docs, DOCSDIR);
        assert_int_equal(config->n_proxies, 0);
        assert_int_equal(config->n_hosts, 0);
        assert_int_equal(config->max_ttl_s, 300);
        assert_true(config->console_needs_connect_only);
        assert_false(config->durable);
        assert_true(config->rates[LIMIT_AUTH_FAILURE].per_minute > 0);
        api_config_free(config);
}

static void values_are_read(void **state) {
        struct api_config *config = load(
                "Listen=[::1]:8080\nTrustedProxies=127.0.0.1 ::1\n ::ffff:10.0.0.1\nPublicUrl=https://c.example:8443\n"
                "DocsDirectory=/srv/docs\nDatabase=/srv/c.db\nDurable=yes\nAudit=/srv/audit\nNode=n1\nSigner=unix:/run/"
                "s.sock\n"
                "Host=b unix:/run/b.sock\nHost=a\tunix:/run/a.sock\nMaxTtl=60\nMaxTokenLife=1\n"
                "ConsoleNeedsConnectOnly=no\nWorkers=4\nMaxConnections=100\nCallerLimit=0\nAddressLimit=600");

        (void)state;
        assert_non_null(config);
        assert_string_equal(config->listen, "[::1]:8080");
        assert_int_equal(config->n_proxies, 3);
        assert_string_equal(config->proxy[1], "::1");
        assert_string_equal(config->proxy[2], "10.0.0.1");
        assert_string_equal(config->public_url, "https://c.example:8443");
        assert_string_equal(config->docs, "/srv/docs");
        assert_string_equal(config->database, "/srv/c.db");
        assert_true(config->durable);
        assert_string_equal(config->node, "n1");
        assert_string_equal(config->signer, "/run/s.sock");
        assert_int_equal(config->n_hosts, 2);
        assert_string_equal(api_config_host(config, "a"), "/run/a.sock");
        assert_string_equal(api_config_host(config, "b"), "/run/b.sock");
        assert_null(api_config_host(config, "c"));
        assert_null(api_config_host(config, ""));
        assert_int_equal(config->max_ttl_s, 60);
        assert_int_equal(config->max_token_life_s, 86400);
        assert_false(config->console_needs_connect_only);
        assert_int_equal(config->rates[LIMIT_CALLER].per_minute, 0);
        assert_int_equal(config->rates[LIMIT_ADDRESS].per_minute, 600);
        assert_int_equal(config->rates[LIMIT_ADDRESS].burst, 100);
        api_config_free(config);
}

static void wrong_values_are_refused_with_their_line(void **state) {
        static const char *const lines[] = {
                "Listen=0.0.0.0:80",
                "Listen=*:80",
                "Listen=192.0.2.1:80",
                "Listen=[::]:80",
                "Listen=localhost:80",
                "Listen=",
                "TrustedProxies=10.0.0.0/8",
                "TrustedProxies=proxy",
                "PublicUrl=https://c.example/",
                "PublicUrl=https://C.example",
                "PublicUrl=c.example",
                "PublicUrl=https://",
                "PublicUrl=ftp://c.example",
                "Database=c.db",
                "Database=/a b",
                "Durable=true",
                "Audit=audit",
                "Node=a/b",
                "Signer=/run/s.sock",
                "Signer=unix:s.sock",
                "Signer=unix:/"
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                "aaaaaaaaaaaaaaaaaaa",
                "Host=a",
                "Host=a unix:/b c",
                "Host=a tcp:1",
                "Host=a/b unix:/c",
                "Host=a unix:/b\nHost=a unix:/c",
                "MaxTtl=0",
                "MaxTtl=3601",
                "MaxTokenLife=0",
                "Workers=1",
                "Workers=257",
                "MaxConnections=15",
                "CallerLimit=-1",
                "ConsoleNeedsConnectOnly=1",
        };
        char expected[96];

        (void)state;
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                if (load(lines[i]))
                        fail_msg("%s is taken", lines[i]);
                (void)snprintf(expected, sizeof(expected), "%s:%d: ", path, strchr(lines[i], '\n') ? 3 : 2);
                if (strncmp(why, expected, strlen(expected)) != 0)
                        fail_msg("%s: %s", lines[i], why);
        }
}

static void missing_file_and_foreign_writers_are_refused(void **state) {
        struct api_config *config;

        (void)state;
        (void)unlink(path);
        assert_int_equal(api_config_load(path, NULL, &config, why), -EINVAL);
        assert_non_null(strstr(why, "cannot open"));
        config = load("");
        api_config_free(config);
        assert_int_equal(chmod(path, 0666), 0);
        assert_int_equal(api_config_load(path, NULL, &config, why), -EINVAL);
        assert_non_null(strstr(why, "writable by others"));
        assert_int_equal(api_config_load("api.conf", NULL, &config, why), -EINVAL);
        assert_int_equal(api_config_load("/nonexistent/api.conf", NULL, &config, why), -EINVAL);
        assert_true(strlen(why) > 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(empty_file_has_the_defaults),
                cmocka_unit_test(values_are_read),
                cmocka_unit_test(wrong_values_are_refused_with_their_line),
                cmocka_unit_test(missing_file_and_foreign_writers_are_refused),
        };

        return cmocka_run_group_tests(tests, begin, end);
}
