/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXC_EXC_COMPLETION_H
#define EXC_EXC_COMPLETION_H

/* completion/exc.bash and completion/_exc. */
extern const char completion_bash[], completion_zsh[];

#endif
