/* SPDX-License-Identifier: Apache-2.0 */
#include "exc/endpoint.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void kinds(void **state) {
        static const struct {
                const char *text;
                enum endpoint_kind kind;
        } cases[] = {
                {"https://compute.example.org", ENDPOINT_HTTPS},
                {"https://compute.example.org:8443/prefix/", ENDPOINT_HTTPS},
                {"HTTPS://[2001:db8::1]", ENDPOINT_HTTPS},
                {"unix:/run/exc-compute-api/api.sock", ENDPOINT_UNIX},
                {"unix:api.sock", ENDPOINT_INVALID},
                {"unix:", ENDPOINT_INVALID},
                {"http://127.0.0.1", ENDPOINT_LOOPBACK},
                {"http://127.9.9.9:80/x", ENDPOINT_LOOPBACK},
                {"http://localhost:8080", ENDPOINT_LOOPBACK},
                {"http://LocalHost", ENDPOINT_LOOPBACK},
                {"http://[::1]", ENDPOINT_LOOPBACK},
                {"http://[::ffff:127.0.0.1]", ENDPOINT_HTTP},
                {"http://128.0.0.1", ENDPOINT_HTTP},
                {"http://localhost.example.org", ENDPOINT_HTTP},
                {"http://x.localhost", ENDPOINT_HTTP},
                {"http://127.0.0.1.example.org", ENDPOINT_HTTP},
                {"http://compute.example.org", ENDPOINT_HTTP},
                {"ftp://127.0.0.1", ENDPOINT_INVALID},
                {"file:///etc/passwd", ENDPOINT_INVALID},
                {"compute.example.org", ENDPOINT_INVALID},
                {"https://", ENDPOINT_INVALID},
                {"https://user@x", ENDPOINT_INVALID},
                {"https://user:secret@x", ENDPOINT_INVALID},
                {"http://127.0.0.1@x", ENDPOINT_INVALID},
                {"https://x?q", ENDPOINT_INVALID},
                {"https://x#f", ENDPOINT_INVALID},
                {"https://x y", ENDPOINT_INVALID},
                {"https://x\n", ENDPOINT_INVALID},
                {"", ENDPOINT_INVALID},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                if (endpoint_kind(cases[i].text) != cases[i].kind)
                        fail_msg("%s: %d", cases[i].text, (int)endpoint_kind(cases[i].text));
}

static void path_of_a_socket_is_short_enough(void **state) {
        char text[256] = "unix:/";

        (void)state;
        memset(text + strlen(text), 'a', 106);
        assert_int_equal(endpoint_kind(text), ENDPOINT_UNIX);
        strcat(text, "a");
        assert_int_equal(endpoint_kind(text), ENDPOINT_INVALID);
}

static void url_has_no_slash_at_its_end(void **state) {
        char url[32];

        (void)state;
        assert_int_equal(endpoint_url("https://x/y//", url, sizeof(url)), 0);
        assert_string_equal(url, "https://x/y");
        assert_int_equal(endpoint_url("unix:/run/a", url, sizeof(url)), 0);
        assert_string_equal(url, "http://localhost");
        assert_int_equal(endpoint_url("https://a-name-that-does-not-fit.example.org", url, sizeof(url)), -E2BIG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(kinds),
                cmocka_unit_test(path_of_a_socket_is_short_enough),
                cmocka_unit_test(url_has_no_slash_at_its_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
