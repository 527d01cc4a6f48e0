/* SPDX-License-Identifier: Apache-2.0 */
#include "confine/syscall_trap.h"

#include <errno.h>
#include <linux/audit.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "common/events.h"
#include "common/journal.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#define SET_RESULT(context, value) ((context)->uc_mcontext.gregs[REG_RAX] = (value))
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#define SET_RESULT(context, value) ((context)->uc_mcontext.regs[0] = (unsigned long long)(value))
#endif

enum {
        SECCOMP_CODE = 1, /* SYS_SECCOMP of asm/siginfo.h, which the C library's headers have not */
        NUMBERS = 512,    /* that are told apart; all others count as one */
        TRIES = 100,      /* of a journal that is busy */
};

static struct {
        const char *program, *advice;
        int journal_fd;
} trap = {.journal_fd = -EBADF};

static _Thread_local volatile sig_atomic_t spared;
static _Thread_local volatile struct syscall_refused first_refused;

/* --- text: only what a signal handler may call ---------------------------------------------------------------------- */

static void put(struct writer *to, const char *text) {
        writer_put(to, text, strlen(text));
}

static void put_number(struct writer *to, uint32_t number, unsigned base) {
        char text[16], *c = text + sizeof(text) - 1;

        *c = '\0';
        do
                *--c = "0123456789abcdef"[number % base];
        while ((number /= base) > 0);
        put(to, c);
}

void syscall_text(struct syscall_refused refused, char ret[static SYSCALL_TEXT_MAX]) {
        struct writer to = {.data = (uint8_t *)ret, .size = SYSCALL_TEXT_MAX - 1};
        const char *name = NULL;

#ifdef ARCHITECTURE
        if (refused.architecture == ARCHITECTURE && refused.number >= 0 && (size_t)refused.number < syscall_names_n)
                name = syscall_names[refused.number];
#endif
        put(&to, name ? name : "number ");
        put(&to, name ? " (" : "");
        put_number(&to, (uint32_t)refused.number, 10);
        put(&to, name ? ")" : " of architecture ");
        if (!name)
                put_number(&to, refused.architecture, 16);
        ret[to.used] = '\0';
}

static void add_number(struct journal_entry *entry, const char *name, uint32_t number, unsigned base) {
        char text[16] = "";
        struct writer to = {.data = (uint8_t *)text, .size = sizeof(text) - 1};

        put_number(&to, number, base);
        journal_add(entry, name, text);
}

static void make_message(struct syscall_refused refused, bool ends, char *message, size_t size) {
        struct writer to = {.data = (uint8_t *)message, .size = size - 1};
        char call[SYSCALL_TEXT_MAX];

        syscall_text(refused, call);
        put(&to, "system call ");
        put(&to, call);
        put(&to, ends ? " is not allowed, and ends the program; " : " is not allowed, and failed in a module; ");
        put(&to, trap.advice);
        message[to.used] = '\0';
}

static int send_entry(const struct journal_entry *entry, bool ends) {
        static const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
        int r = journal_send_on(trap.journal_fd, entry);

        for (unsigned n = 0; ends && r == -EAGAIN && n < TRIES; n++) {
                (void)nanosleep(&pause, NULL);
                r = journal_send_on(trap.journal_fd, entry);
        }
        return r;
}

static void report(struct syscall_refused refused, bool ends) {
        char message[512], text[640];
        struct writer line = {.data = (uint8_t *)text, .size = sizeof(text)};
        struct journal_entry entry;

        make_message(refused, ends, message, sizeof(message));
        journal_begin(&entry);
        journal_add(&entry, "MESSAGE_ID", EVENT_CALL_REFUSED);
        journal_add(&entry, "MESSAGE", message);
        journal_add(&entry, "PRIORITY", ends ? "3" : "4");
        journal_add(&entry, "SYSLOG_IDENTIFIER", trap.program);
        add_number(&entry, FIELD_CALL, (uint32_t)refused.number, 10);
        add_number(&entry, FIELD_ARCHITECTURE, refused.architecture, 16);
        if (send_entry(&entry, ends) >= 0)
                return;
        put(&line, trap.program);
        put(&line, ": ");
        put(&line, message);
        put(&line, "\n");
        if (write(STDERR_FILENO, text, line.used) < 0)
                return;
}

/* --- the handler -------------------------------------------------------------------------------------------------- */

static bool is_new(int number) {
        static atomic_ulong reported[NUMBERS / 64];
        unsigned at = number >= 0 && number < NUMBERS ? (unsigned)number : NUMBERS - 1;
        unsigned long bit = 1UL << at % 64;

        return (atomic_fetch_or(&reported[at / 64], bit) & bit) == 0;
}

_Noreturn static void end(void) {
        sigset_t only;

        (void)signal(SIGSYS, SIG_DFL);
        (void)raise(SIGSYS);
        (void)sigemptyset(&only);
        (void)sigaddset(&only, SIGSYS);
        (void)sigprocmask(SIG_UNBLOCK, &only, NULL);
        _exit(EXIT_FAILURE);
}

#ifdef ARCHITECTURE

/* Returns on a spared thread alone. */
static void note(struct syscall_refused refused) {
        int before = errno;

        if (!spared) {
                report(refused, true);
                end();
        }
        if (first_refused.architecture == 0) {
                first_refused.architecture = refused.architecture;
                first_refused.number = refused.number;
        }
        if (is_new(refused.number))
                report(refused, false);
        errno = before;
}

static void on_refused(int signal_number, siginfo_t *info, void *context) {
        (void)signal_number;
        if (info->si_code != SECCOMP_CODE)
                end();
        note((struct syscall_refused){info->si_arch, info->si_syscall});
        SET_RESULT((ucontext_t *)context, -EPERM);
}

static void before_fork(void) {
        note((struct syscall_refused){ARCHITECTURE, SYS_clone});
}

int syscall_trap_note_forks(void) {
        return -pthread_atfork(before_fork, NULL, NULL);
}

int syscall_trap_start(const char *program, const char *advice) {
        struct sigaction action = {.sa_sigaction = on_refused, .sa_flags = SA_SIGINFO};
        sigset_t only;

        trap.program = program;
        trap.advice = advice;
        if (trap.journal_fd < 0)
                trap.journal_fd = journal_open();
        (void)sigemptyset(&only);
        (void)sigaddset(&only, SIGSYS);
        if (sigaction(SIGSYS, &action, NULL) < 0 || sigprocmask(SIG_UNBLOCK, &only, NULL) < 0)
                return -errno;
        return 0;
}

#else

int syscall_trap_start(const char *program, const char *advice) {
        (void)program;
        (void)advice;
        return -ENOSYS;
}

int syscall_trap_note_forks(void) {
        return -ENOSYS;
}

#endif

void syscall_trap_spare_thread(void) {
        spared = 1;
}

struct syscall_refused syscall_trap_take(void) {
        struct syscall_refused refused = {first_refused.architecture, first_refused.number};

        first_refused.architecture = 0;
        return refused;
}
