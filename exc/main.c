/* SPDX-License-Identifier: Apache-2.0 */
/* exc(1): connect to virtual machines, and what goes with it. */
#include "exc/command.h"

int main(int argc, char **argv) {
        struct options options = {.connections = -1};

        return cli_main(&exc_cli, argc, argv, &options);
}
