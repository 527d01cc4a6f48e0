/* SPDX-License-Identifier: Apache-2.0 */
/* exc-instance-connect(8): what the administrator asks the agent of this machine. */
#include "admin/command.h"

int main(int argc, char **argv) {
        struct options options = OPTIONS_INIT;

        return cli_main(&admin_cli, argc, argv, &options);
}
