/* SPDX-License-Identifier: Apache-2.0 */
/* exc-instance-connect(8): what the administrator asks the agent of this machine. */
#include "admin/command.h"
#include "common/debug.h"

int main(int argc, char **argv) {
        struct options options = OPTIONS_INIT;

        debug_init(admin_cli.program, false);
        return cli_main(&admin_cli, argc, argv, &options);
}
