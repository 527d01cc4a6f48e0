/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/member.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "cloud/store/store.h"
#include "wire/name.h"

static enum refusal take(const struct json_dispatch_field *field, json_t *value, char *member, size_t size,
                         bool (*valid)(const char *), struct refused *ret_why) {
        const char *text = json_string_value(value);

        if (!text || strlen(text) >= size || !valid(text))
                return json_dispatch_refuse(field, ret_why);
        memcpy(member, text, strlen(text) + 1);
        return REFUSAL_NONE;
}

enum refusal member_name(const struct json_dispatch_field *field, json_t *value, void *member,
                         struct refused *ret_why) {
        return take(field, value, member, STORE_NAME_MAX, name_plain_valid, ret_why);
}

enum refusal member_account(const struct json_dispatch_field *field, json_t *value, void *member,
                            struct refused *ret_why) {
        return take(field, value, member, STORE_NAME_MAX, name_account_valid, ret_why);
}

static bool label(const char *text) {
        if (*text == '\0')
                return false;
        for (; *text; text++)
                if ((unsigned char)*text < ' ' || *text == 0x7f)
                        return false;
        return true;
}

enum refusal member_label(const struct json_dispatch_field *field, json_t *value, void *member,
                          struct refused *ret_why) {
        return take(field, value, member, STORE_TEXT_MAX, label, ret_why);
}

enum refusal member_user(const struct json_dispatch_field *field, json_t *value, void *member,
                         struct refused *ret_why) {
        return take(field, value, member, STORE_TEXT_MAX, name_user_valid, ret_why);
}

enum refusal member_ipv4(const struct json_dispatch_field *field, json_t *value, void *member,
                         struct refused *ret_why) {
        const char *text = json_string_value(value);
        struct in_addr address;

        if (!text || inet_pton(AF_INET, text, &address) != 1)
                return json_dispatch_refuse(field, ret_why);
        (void)inet_ntop(AF_INET, &address, member, STORE_ADDRESS_MAX);
        return REFUSAL_NONE;
}

enum refusal member_ipv6(const struct json_dispatch_field *field, json_t *value, void *member,
                         struct refused *ret_why) {
        const char *text = json_string_value(value);
        struct in6_addr address;

        if (!text || inet_pton(AF_INET6, text, &address) != 1 || IN6_IS_ADDR_V4MAPPED(&address))
                return json_dispatch_refuse(field, ret_why);
        (void)inet_ntop(AF_INET6, &address, member, STORE_ADDRESS_MAX);
        return REFUSAL_NONE;
}

enum refusal member_object(const struct json_dispatch_field *field, json_t *value, void *member,
                           struct refused *ret_why) {
        if (!json_is_object(value))
                return json_dispatch_refuse(field, ret_why);
        *(json_t **)member = value;
        return REFUSAL_NONE;
}

json_t *member_text(const char *text) {
        return text[0] ? json_string(text) : json_null();
}
