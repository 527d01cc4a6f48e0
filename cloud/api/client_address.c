/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/client_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static void from_v6(const struct in6_addr *address, char ret[static REQUEST_ADDRESS_MAX]) {
        if (IN6_IS_ADDR_V4MAPPED(address))
                (void)inet_ntop(AF_INET, &address->s6_addr[12], ret, REQUEST_ADDRESS_MAX);
        else
                (void)inet_ntop(AF_INET6, address, ret, REQUEST_ADDRESS_MAX);
}

bool client_address_parse(const char *text, char ret[static REQUEST_ADDRESS_MAX]) {
        struct in6_addr v6;
        struct in_addr v4;

        if (inet_pton(AF_INET, text, &v4) == 1) {
                (void)inet_ntop(AF_INET, &v4, ret, REQUEST_ADDRESS_MAX);
                return true;
        }
        if (inet_pton(AF_INET6, text, &v6) != 1)
                return false;
        from_v6(&v6, ret);
        return true;
}

bool client_address_forwarded(const char *value, char ret[static REQUEST_ADDRESS_MAX]) {
        const char *comma = strrchr(value, ','), *begin = comma ? comma + 1 : value;
        char text[REQUEST_ADDRESS_MAX];
        size_t n;

        begin += strspn(begin, " \t");
        for (n = strlen(begin); n > 0 && (begin[n - 1] == ' ' || begin[n - 1] == '\t'); n--)
                ;
        if (n == 0 || n >= sizeof(text))
                return false;
        memcpy(text, begin, n);
        text[n] = '\0';
        return client_address_parse(text, ret);
}

void client_address_peer(const struct sockaddr_storage *peer, char ret[static REQUEST_ADDRESS_MAX]) {
        ret[0] = '\0';
        if (peer->ss_family == AF_INET)
                (void)inet_ntop(AF_INET, &((const struct sockaddr_in *)peer)->sin_addr, ret, REQUEST_ADDRESS_MAX);
        else if (peer->ss_family == AF_INET6)
                from_v6(&((const struct sockaddr_in6 *)peer)->sin6_addr, ret);
}

bool client_address_local(const struct sockaddr_storage *address) {
        char text[REQUEST_ADDRESS_MAX];

        if (address->ss_family == AF_UNIX)
                return true;
        client_address_peer(address, text);
        return strncmp(text, "127.", 4) == 0 || strcmp(text, "::1") == 0;
}

void client_address_group(const char *address, char ret[static REQUEST_ADDRESS_MAX]) {
        struct in6_addr v6;

        if (inet_pton(AF_INET6, address, &v6) == 1) {
                memset(&v6.s6_addr[8], 0, 8);
                (void)inet_ntop(AF_INET6, &v6, ret, REQUEST_ADDRESS_MAX);
        } else {
                size_t n = strnlen(address, REQUEST_ADDRESS_MAX - 1);

                memcpy(ret, address, n);
                ret[n] = '\0';
        }
}
