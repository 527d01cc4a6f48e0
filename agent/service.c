/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/service.h"

#include <string.h>

#define SERVICE "org.varlink.service"

/* As the varlink project publishes it. */
static const char service_text[] = "# The Varlink Service Interface is provided by every varlink service. It\n"
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

void service_get_info(struct connection *connection) {
        connection_reply(connection, json_pack("{ss ss ss ss s[ss]}", "vendor", "Excloud", "product",
                                               "exc-instance-connect", "version", PACKAGE_VERSION, "url", PACKAGE_URL,
                                               "interfaces", VARLINK_INTERFACE, SERVICE));
}

void service_get_interface_description(struct connection *connection) {
        const char *name = json_string_value(json_object_get(connection->call.parameters, "interface"));
        const char *text = NULL;

        if (!name) {
                service_invalid_parameter(connection, "interface");
                return;
        }
        if (strcmp(name, VARLINK_INTERFACE) == 0)
                text = interface_text;
        else if (strcmp(name, SERVICE) == 0)
                text = service_text;
        if (text)
                connection_reply(connection, json_pack("{ss}", "description", text));
        else
                connection_error(connection, SERVICE ".InterfaceNotFound", json_pack("{ss}", "interface", name));
}

void service_method_not_found(struct connection *connection) {
        connection_error(connection, SERVICE ".MethodNotFound", json_pack("{ss}", "method", connection->call.method));
}

void service_invalid_parameter(struct connection *connection, const char *parameter) {
        connection_error(connection, SERVICE ".InvalidParameter", json_pack("{ss}", "parameter", parameter));
}
