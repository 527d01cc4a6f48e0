/* SPDX-License-Identifier: Apache-2.0 */
#include "common/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

static struct source source_of(const char *text) {
        struct source source;

        if (!source_from_text(text, &source))
                fail_msg("\"%s\" is refused", text);
        return source;
}

static void assert_refused(const char *text) {
        struct source source, before;

        memset(&source, 0xa5, sizeof(source));
        before = source;
        if (source_from_text(text, &source))
                fail_msg("\"%s\" is taken", text);
        assert_memory_equal(&source, &before, sizeof(source));
}

static void assert_written_as(const char *text, const char *expected) {
        struct source source = source_of(text);
        char again[SOURCE_TEXT_MAX];

        assert_true(source_valid(&source));
        source_to_text(&source, again);
        assert_string_equal(again, expected);
}

static void ipv4_address_is_parsed(void **state) {
        static const uint8_t address[16] = {192, 0, 2, 1};
        struct source source = source_of("192.0.2.1");

        (void)state;
        assert_int_equal(source.family, SOURCE_V4);
        assert_int_equal(source.prefix, 32);
        assert_memory_equal(source.address, address, sizeof(address));
}

static void ipv6_range_is_parsed(void **state) {
        static const uint8_t address[16] = {0x20, 0x01, 0x0d, 0xb8};
        struct source source = source_of("2001:db8::/32");

        (void)state;
        assert_int_equal(source.family, SOURCE_V6);
        assert_int_equal(source.prefix, 32);
        assert_memory_equal(source.address, address, sizeof(address));
}

static void each_source_has_one_text(void **state) {
        (void)state;
        assert_written_as("192.0.2.1", "192.0.2.1");
        assert_written_as("192.0.2.1/32", "192.0.2.1");
        assert_written_as("192.0.2.0/24", "192.0.2.0/24");
        assert_written_as("192.0.2.2/31", "192.0.2.2/31");
        assert_written_as("128.0.0.0/1", "128.0.0.0/1");
        assert_written_as("0.0.0.0/0", "0.0.0.0/0");
        assert_written_as("2001:db8::/32", "2001:db8::/32");
        assert_written_as("2001:DB8::", "2001:db8::");
        assert_written_as("2001:0db8:0:0:0:0:0:1/128", "2001:db8::1");
        assert_written_as("2001:db8::/127", "2001:db8::/127");
        assert_written_as("::/0", "::/0");
        assert_written_as("::1", "::1");
        assert_written_as("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
        assert_written_as("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127");
}

static void host_bits_are_refused(void **state) {
        (void)state;
        for (unsigned family = SOURCE_V4; family <= SOURCE_V6; family += SOURCE_V6 - SOURCE_V4) {
                unsigned bits = family == SOURCE_V4 ? 32 : 128;

                for (unsigned prefix = 0; prefix <= bits; prefix++) {
                        struct source range = {.family = (uint8_t)family, .prefix = (uint8_t)prefix}, again;
                        char text[SOURCE_TEXT_MAX];

                        for (unsigned bit = 0; bit < prefix; bit++)
                                range.address[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
                        assert_true(source_valid(&range));
                        source_to_text(&range, text);
                        again = source_of(text);
                        assert_memory_equal(&again, &range, sizeof(range));

                        for (unsigned bit = prefix; bit < 128; bit++) {
                                struct source host = range;

                                host.address[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
                                assert_false(source_valid(&host));
                                if (bit >= bits)
                                        continue;
                                source_to_text(&host, text);
                                assert_refused(text);
                        }
                }
        }
}

static void ipv4_mapped_ipv6_is_refused(void **state) {
        static const struct source mapped = {SOURCE_V6, 128, {[10] = 0xff, [11] = 0xff, [12] = 192, [15] = 1}};

        (void)state;
        assert_refused("::ffff:192.0.2.1");
        assert_refused("::ffff:c000:201");
        assert_refused("0:0:0:0:0:ffff:192.0.2.0/120");
        assert_refused("::ffff:0:0/96");
        assert_refused("::ffff:0.0.0.0");
        assert_false(source_valid(&mapped));
}

static void ipv6_next_to_the_mapped_range_is_accepted(void **state) {
        (void)state;
        assert_written_as("::fffe:0:0/95", "::fffe:0:0/95");
        assert_written_as("::fffe:0:1", "::fffe:0:1");
        assert_written_as("64:ff9b::/96", "64:ff9b::/96");
        assert_written_as("1::ffff:c000:201", "1::ffff:c000:201");
}

static void link_local_is_recognized(void **state) {
        static const char *const local[] = {"fe80::/10",    "fe80::1",        "FE80::1/128", "febf:ffff::/32",
                                            "fe80::1%eth0", "fe80::%eth0/64", "fe80::1/64"};
        static const char *const other[] = {
                "::/0", "fe80::/9", "fe00::/8", "fe7f::1", "fec0::1", "2001:db8::1", "169.254.0.1", "169.254.0.0/16",
                "fe80", "fe80:",    "fe80::/x", "%eth0",   "",        "/10",         "fe80::/129"};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(local); i++)
                if (!source_is_link_local(local[i]))
                        fail_msg("%s", local[i]);
        for (size_t i = 0; i < ELEMENTS(other); i++)
                if (source_is_link_local(other[i]))
                        fail_msg("%s", other[i]);
}

static void prefix_is_decimal_and_within_the_family(void **state) {
        static const char *const prefixes[] = {
                "/",           "/33",
                "/00",         "/01",
                "/024",        "/+24",
                "/-1",         "/ 24",
                "/24 ",        "/2 4",
                "/0x8",        "/a",
                "/24a",        "/24/",
                "//24",        "/24/24",
                "/4294967296", "/18446744073709551616",
                "/256",        "/280",
                "/24\n",       "/255.255.255.0",
                "/1e1",
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(prefixes); i++) {
                char text[64] = "0.0.0.0";

                assert_refused(strcat(text, prefixes[i]));
        }
        assert_refused("::/129");
        assert_refused("::/0128");
        assert_refused("::/300");
}

static void other_text_is_refused(void **state) {
        static const char *const texts[] = {
                "",
                "/",
                "/24",
                " ",
                "192.0.2",
                "192.0.2.1.1",
                "192.0.2.256",
                "192.0.2.01",
                "192.0.2.0x1",
                "3221225985",
                "0300.0.2.1",
                " 192.0.2.1",
                "192.0.2.1 ",
                "192.0.2.1\n",
                "192.0.2.*",
                "!192.0.2.1",
                "192.0.2.1,192.0.2.2",
                "localhost",
                "*",
                "UNKNOWN",
                "192.0.2.1:22",
                "[2001:db8::1]",
                "fe80::1%lo",
                "fe80::1%1",
                ":",
                ":::",
                "1:2",
                "2001:db8::1::",
                "2001:db8::12345",
                "2001:db8::g",
                "1:2:3:4:5:6:7:8:9",
                "2001:db8::192.0.2.256",
                "\"::1\"",
                "::1\",command=\"id",
                "0000:0000:0000:0000:0000:0000:192.168.100.100.0",
                "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000:1",
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(texts); i++)
                assert_refused(texts[i]);
}

static void overlong_text_is_refused(void **state) {
        char text[100] = "";

        (void)state;
        for (size_t n = 0; n < sizeof(text) - 1; n++) {
                memset(text, '1', n);
                assert_refused(text);
                text[0] = ':';
                assert_refused(text);
        }
}

static void unknown_family_or_prefix_is_invalid(void **state) {
        struct source source = {0};

        (void)state;
        for (unsigned family = 0; family < 256; family++) {
                source.family = (uint8_t)family;
                assert_int_equal(source_valid(&source), family == SOURCE_V4 || family == SOURCE_V6);
        }
        for (unsigned prefix = 0; prefix < 256; prefix++) {
                source.prefix = (uint8_t)prefix;
                source.family = SOURCE_V4;
                assert_int_equal(source_valid(&source), prefix <= 32);
                source.family = SOURCE_V6;
                assert_int_equal(source_valid(&source), prefix <= 128);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(ipv4_address_is_parsed),
                cmocka_unit_test(ipv6_range_is_parsed),
                cmocka_unit_test(each_source_has_one_text),
                cmocka_unit_test(host_bits_are_refused),
                cmocka_unit_test(ipv4_mapped_ipv6_is_refused),
                cmocka_unit_test(ipv6_next_to_the_mapped_range_is_accepted),
                cmocka_unit_test(link_local_is_recognized),
                cmocka_unit_test(prefix_is_decimal_and_within_the_family),
                cmocka_unit_test(other_text_is_refused),
                cmocka_unit_test(overlong_text_is_refused),
                cmocka_unit_test(unknown_family_or_prefix_is_invalid),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
