/* SPDX-License-Identifier: Apache-2.0 */
/* The floor of a confined program: it confines itself as the helper does, for the store in its argument, and does nothing. */
#include "authkeys-helper/confine.h"

int main(int argc, char *argv[]) {
        return argc == 2 && confine(argv[1], CONFINE_FILES | CONFINE_CALLS) >= 0 ? 0 : 1;
}
