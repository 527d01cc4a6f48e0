/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/route.h"

#include <stdio.h>
#include <string.h>

#include "cloud/api/handlers.h"

static const struct route routes[] = {
        {METHOD_GET, "/healthz", health_get, ROUTE_PUBLIC, NULL},
        {METHOD_GET, "/openapi.json", openapi_get, ROUTE_PUBLIC, NULL},
        {METHOD_GET, "/docs", docs_get, ROUTE_PUBLIC, NULL},
        {METHOD_GET, "/docs/*", docs_file_get, ROUTE_PUBLIC, NULL},

        {METHOD_GET, "/compute/instance", instance_list, 0, "name limit cursor"},
        {METHOD_GET, "/compute/instance/*", instance_get, 0, NULL},
        {METHOD_PUT, "/compute/instance/*", instance_put, ROUTE_BODY, NULL},
        {METHOD_DELETE, "/compute/instance/*", instance_delete, 0, NULL},
        {METHOD_POST, "/compute/instance/connect", instance_connect, ROUTE_BODY | ROUTE_SLOW, NULL},
        {METHOD_POST, "/compute/instance/*/revoke", instance_revoke, ROUTE_BODY | ROUTE_SLOW, NULL},
        {METHOD_POST, "/compute/instance/*/accept-host-keys", instance_accept_host_keys, ROUTE_BODY, NULL},

        {METHOD_GET, "/compute/keypair", keypair_list, 0, "limit cursor"},
        {METHOD_POST, "/compute/keypair", keypair_post, ROUTE_BODY, NULL},
        {METHOD_GET, "/compute/keypair/*", keypair_get, 0, NULL},
        {METHOD_DELETE, "/compute/keypair/*", keypair_delete, ROUTE_SLOW, NULL},

        {METHOD_GET, "/iam/account", account_list, 0, "limit cursor"},
        {METHOD_POST, "/iam/account", account_post, ROUTE_BODY, NULL},
        {METHOD_GET, "/iam/account/*", account_get, 0, NULL},
        {METHOD_DELETE, "/iam/account/*", account_delete, 0, NULL},
        {METHOD_PUT, "/iam/account/*/policy/*", account_attach, ROUTE_BODY, NULL},
        {METHOD_DELETE, "/iam/account/*/policy/*", account_detach, 0, NULL},

        {METHOD_GET, "/iam/token", token_list, 0, "account limit cursor"},
        {METHOD_POST, "/iam/token", token_post, ROUTE_BODY, NULL},
        {METHOD_GET, "/iam/token/*", token_get, 0, NULL},
        {METHOD_DELETE, "/iam/token/*", token_delete, 0, NULL},

        {METHOD_GET, "/iam/policy", policy_list, 0, "limit cursor"},
        {METHOD_POST, "/iam/policy", policy_post, ROUTE_BODY, NULL},
        {METHOD_GET, "/iam/policy/*", policy_get, 0, NULL},
        {METHOD_PUT, "/iam/policy/*", policy_put, ROUTE_BODY, NULL},
        {METHOD_DELETE, "/iam/policy/*", policy_delete, 0, NULL},
};

static const char *const method_names[] = {
        [METHOD_GET] = "GET",
        [METHOD_POST] = "POST",
        [METHOD_PUT] = "PUT",
        [METHOD_DELETE] = "DELETE",
};

enum request_method route_method(const char *name) {
        for (size_t i = 0; i < sizeof(method_names) / sizeof(method_names[0]); i++)
                if (strcmp(method_names[i], name) == 0)
                        return (enum request_method)i;
        return METHOD_OTHER;
}

const char *route_method_name(enum request_method method) {
        return method < METHOD_OTHER ? method_names[method] : NULL;
}

/* How many literal segments the path has in common with the target, and one; 0: it is another path. */
static unsigned match(const char *path, const struct request_target *target) {
        unsigned literal = 1;
        size_t i = 0;

        for (; *path == '/'; i++) {
                size_t n = strcspn(++path, "/");

                if (i >= target->n_segments)
                        return 0;
                if (n != 1 || *path != '*') {
                        if (strlen(target->segment[i]) != n || memcmp(target->segment[i], path, n) != 0)
                                return 0;
                        literal++;
                }
                path += n;
        }
        return i == target->n_segments ? literal : 0;
}

const struct route *route_find(const struct request_target *target, enum request_method method,
                               char ret_allow[static ROUTE_ALLOW_MAX]) {
        unsigned best = 0;

        ret_allow[0] = '\0';
        for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
                unsigned found = match(routes[i].path, target);

                if (found > best)
                        best = found;
        }
        if (best == 0)
                return NULL;
        for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
                size_t used = strlen(ret_allow);

                if (match(routes[i].path, target) != best)
                        continue;
                if (routes[i].method == method)
                        return &routes[i];
                (void)snprintf(ret_allow + used, ROUTE_ALLOW_MAX - used, "%s%s", used > 0 ? ", " : "",
                               method_names[routes[i].method]);
        }
        return NULL;
}

bool route_takes(const struct route *route, const char *query) {
        const char *at = route->query;
        size_t length = strlen(query);

        while (at && *at) {
                size_t n = strcspn(at, " ");

                if (n == length && memcmp(at, query, n) == 0)
                        return true;
                at += n + strspn(at + n, " ");
        }
        return false;
}
