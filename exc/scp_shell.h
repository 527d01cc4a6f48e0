/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shell that exc compute scp runs on the machine that it copies to, with exc/scp.sh: it says where the copy is to be made,
 * waits while that is done, and puts it in its place or removes it.
 */
#ifndef EXC_SCP_SHELL_H
#define EXC_SCP_SHELL_H

#include "cli/session.h"

/* exc/scp.sh. */
extern const char scp_script[];

enum { SCP_MARK_MAX = 16 + 1 };

struct scp_shell {
        struct session_aside command;
        bool open;    /* it must be ended by scp_shell_end() */
        int to, from; /* pipes */
        char mark[SCP_MARK_MAX];
        char *temporary; /* where the copy is to be made; NULL: at the destination itself */
};

/* What it is for. Bytes of any value but NUL, quoted here. */
struct scp_place {
        const char *destination; /* absolute, or with "./" in front; "": the shell only waits */
        const char *name;        /* of the copy in a directory */
        bool home;               /* relative to the user's home directory */
};

/*
 * Takes over the command that was just started with the pipes: sends it the script, and sets it aside, so that another command
 * can be started while it works. SESSION_READY, else as scp_shell_wait().
 */
enum session_event scp_shell_start(struct session *session, const struct scp_place *place, struct scp_shell *shell);

/*
 * Waits until it has answered. No other command may run. SESSION_READY: it is set aside, and session->pid is 0. Else it has
 * ended, as session->status says where it is SESSION_ENDED; SESSION_SIGNAL: so that exc ends.
 */
enum session_event scp_shell_wait(struct session *session, struct scp_shell *shell);

enum scp_shell_result {
        SCP_SHELL_KEPT,    /* the copy is in its place */
        SCP_SHELL_REMOVED, /* it is not, and no temporary is left */
        SCP_SHELL_LEFT,    /* it is not, and the temporary could not be removed, or not in time */
        SCP_SHELL_LOST,    /* the connection to it was lost */
};

/* Lets one that only waits end, while others are waited for. scp_shell_end() must follow. */
void scp_shell_leave(struct scp_shell *shell);

/* Ends it. */
enum scp_shell_result scp_shell_end(struct session *session, struct scp_shell *shell, bool keep);

#endif
