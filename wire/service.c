/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/service.h"

#include "wire/frame.h"
#include "wire/json_dispatch.h"

const char service_text[] = "# The Varlink Service Interface is provided by every varlink service. It\n"
                            "# describes the service and the interfaces it implements.\n"
                            "interface org.varlink.service\n"
                            "\n"
                            "# Get a list of all the interfaces a service provides and information\n"
                            "# about the implementation.\n"
                            "method GetInfo() -> (\n"
                            "  vendor: string,\n"
                            "  product: string,\n"
                            "  version: string,\n"
                            "  url: string,\n"
                            "  interfaces: []string\n"
                            ")\n"
                            "\n"
                            "# Get the description of an interface that is implemented by this service.\n"
                            "method GetInterfaceDescription(interface: string) -> (description: string)\n"
                            "\n"
                            "# The requested interface was not found.\n"
                            "error InterfaceNotFound (interface: string)\n"
                            "\n"
                            "# The requested method was not found\n"
                            "error MethodNotFound (method: string)\n"
                            "\n"
                            "# The interface defines the requested method, but the service does not\n"
                            "# implement it.\n"
                            "error MethodNotImplemented (method: string)\n"
                            "\n"
                            "# One of the passed parameters is invalid.\n"
                            "error InvalidParameter (parameter: string)\n"
                            "\n"
                            "# Client is denied access\n"
                            "error PermissionDenied ()\n"
                            "\n"
                            "# Method is expected to be called with 'more' set to true, but wasn't\n"
                            "error ExpectedMore ()\n";

json_t *service_info(const char *product, const char *version, const char *interface) {
        return json_pack("{ss ss ss ss s[ss]}", "vendor", "Excloud", "product", product, "version", version, "url",
                         PACKAGE_URL, "interfaces", interface, VARLINK_SERVICE);
}

const char *service_interface_asked(json_t *parameters) {
        static const struct json_dispatch_field fields[] = {
                {"interface", json_dispatch_text_ref, 0, .max = FRAME_MAX, .required = true, .expected = "a name"},
                {.name = NULL},
        };
        const char *name = NULL;
        struct refused ignored;

        return json_dispatch(parameters, fields, JSON_DISPATCH_NULL_IS_ABSENT, &name, &ignored) ? NULL : name;
}
