/* SPDX-License-Identifier: Apache-2.0 */
#include "exc/endpoint.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#define UNIX "unix:"

static bool is_loopback(const char *host) {
        static const struct in6_addr loopback = IN6ADDR_LOOPBACK_INIT;
        char inner[INET6_ADDRSTRLEN];
        struct in6_addr v6;
        struct in_addr v4;
        size_t n = strlen(host);

        if (strcasecmp(host, "localhost") == 0) /* libcurl asks no resolver for this one */
                return true;
        if (inet_pton(AF_INET, host, &v4) == 1)
                return ntohl(v4.s_addr) >> 24 == 127;
        if (n < 3 || n - 2 >= sizeof(inner) || host[0] != '[' || host[n - 1] != ']')
                return false;
        memcpy(inner, host + 1, n - 2);
        inner[n - 2] = '\0';
        return inet_pton(AF_INET6, inner, &v6) == 1 && memcmp(&v6, &loopback, sizeof(v6)) == 0;
}

static bool plain(const char *text) {
        for (; *text; text++)
                if ((unsigned char)*text <= ' ' || *text == 0x7f)
                        return false;
        return true;
}

static bool has(CURLU *url, CURLUPart part) {
        char *text = NULL;
        bool present = curl_url_get(url, part, &text, 0) == CURLUE_OK;

        curl_free(text);
        return present;
}

static enum endpoint_kind kind_of_url(CURLU *url, const char *text) {
        enum endpoint_kind kind = ENDPOINT_INVALID;
        char *scheme = NULL, *host = NULL;

        if (curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK && !has(url, CURLUPART_USER) &&
            !has(url, CURLUPART_PASSWORD) && !has(url, CURLUPART_QUERY) && !has(url, CURLUPART_FRAGMENT) &&
            curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
            curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK && *host) {
                if (strcmp(scheme, "https") == 0)
                        kind = ENDPOINT_HTTPS;
                else if (strcmp(scheme, "http") == 0)
                        kind = is_loopback(host) ? ENDPOINT_LOOPBACK : ENDPOINT_HTTP;
        }
        curl_free(scheme);
        curl_free(host);
        return kind;
}

enum endpoint_kind endpoint_kind(const char *text) {
        enum endpoint_kind kind;
        CURLU *url;

        if (strncmp(text, UNIX, strlen(UNIX)) == 0) {
                const char *path = text + strlen(UNIX);

                return path[0] == '/' && strlen(path) < sizeof(((struct sockaddr_un *)NULL)->sun_path)
                               ? ENDPOINT_UNIX
                               : ENDPOINT_INVALID;
        }
        /* "compute.example.org" alone would be http to libcurl. */
        if (!plain(text) || !strstr(text, "://"))
                return ENDPOINT_INVALID;
        url = curl_url();
        kind = url ? kind_of_url(url, text) : ENDPOINT_INVALID;
        curl_url_cleanup(url);
        return kind;
}

int endpoint_url(const char *text, char *ret, size_t size) {
        int n;

        if (endpoint_kind(text) == ENDPOINT_UNIX)
                text = "http://localhost";
        n = snprintf(ret, size, "%s", text);
        if (n < 0 || (size_t)n >= size)
                return -E2BIG;
        while (n > 0 && ret[n - 1] == '/')
                ret[--n] = '\0';
        return 0;
}
