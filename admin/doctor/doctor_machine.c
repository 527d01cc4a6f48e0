/* SPDX-License-Identifier: Apache-2.0 */
/* What surrounds all of it: the clock, AppArmor, and the journal. */
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/doctor/doctor.h"
#include "admin/probe.h"
#include "admin/sshd/systemd.h"
#include "agent/freshness.h"
#include "authkeys-helper/identity.h"
#include "common/journal.h"

/* The program that sets the clock, of those that Debian has: of two of them only one can be installed. "": none. */
struct time_service {
        char name[32];
        bool active;
};

static struct time_service find_time_service(void) {
        static const char *const known[] = {"systemd-timesyncd.service", "chrony.service", "ntpsec.service",
                                            "openntpd.service", "ntp.service"};
        struct time_service found = {.name = ""};

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && !found.active; i++) {
                struct unit_state state;

                if (systemd_unit_state(known[i], &state) < 0 || strcmp(state.load, "loaded") != 0)
                        continue;
                (void)snprintf(found.name, sizeof(found.name), "%s", known[i]);
                found.active = strcmp(state.active, "active") == 0;
        }
        return found;
}

/* What timedatectl(1) can switch on. */
static bool has_ntp_unit(void) {
        glob_t units;

        if (glob("/usr/lib/systemd/ntp-units.d/*.list", 0, NULL, &units) != 0)
                return false;
        globfree(&units);
        return true;
}

static void look_at_clock(struct examination *examination) {
        struct remedy remedy = remedy_of("apt-get install -y systemd-timesyncd");
        struct time_service service;

        if (freshness_clock_synchronized()) {
                pass(&examination->findings, "clock", "it is synchronized");
                return;
        }
        service = find_time_service();
        if (service.active) {
                warn(&examination->findings, "clock", NO_REMEDY,
                     "it is not synchronized, although %s runs: check which time servers that reaches; pushes that are "
                     "timed by the clock are refused, and those that sign a challenge are not",
                     service.name);
                return;
        }
        if (has_ntp_unit())
                remedy = remedy_of("timedatectl set-ntp true");
        else if (service.name[0])
                remedy = remedy_of("systemctl enable --now %s", service.name);
        warn(&examination->findings, "clock", remedy,
             "it is not synchronized: pushes that are timed by it are refused, and those that sign a challenge are "
             "not");
}

/* The first line of a small file of the kernel's, or "". */
static void read_line(const char *path, char *ret, size_t size) {
        int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        ssize_t n = fd >= 0 ? read(fd, ret, size - 1) : -1;

        ret[n > 0 ? n : 0] = '\0';
        ret[strcspn(ret, "\n")] = '\0';
        if (fd >= 0)
                (void)close(fd);
}

static void look_at_modules(struct examination *examination) {
        char enabled[16], profile[256];

        read_line("/sys/module/apparmor/parameters/enabled", enabled, sizeof(enabled));
        read_line("/proc/1/attr/apparmor/current", profile, sizeof(profile));
        if (enabled[0] == 'Y' && access("/etc/apparmor.d/usr.sbin.sshd", F_OK) == 0)
                warn(&examination->findings, "apparmor", NO_REMEDY,
                     "AppArmor has a profile for sshd (/etc/apparmor.d/usr.sbin.sshd): it must let sshd "
                     "execute " HELPER_PROGRAM);
        else
                pass(&examination->findings, "apparmor", "AppArmor %s",
                     enabled[0] == 'Y' ? "has no profile for sshd" : "is off");
}

/* As the helper: without a journal logins work, but are not recorded. */
static void reach_journal(void *context) {
        struct examination *examination = context;
        int fd;

        if (probe_become(HELPER_USER) < 0)
                return; /* doctor_users() reports it */
        fd = journal_connect();
        if (fd < 0)
                warn(&examination->findings, "journal",
                     remedy_of("systemctl restart systemd-journald.socket systemd-journald.service"),
                     "%s cannot reach " JOURNAL_SOCKET ": %s; so it is not recorded which key was used", HELPER_USER,
                     strerror(-fd));
        else
                pass(&examination->findings, "journal", "%s reaches it", HELPER_USER);
}

void doctor_machine(struct examination *examination) {
        look_at_clock(examination);
        look_at_modules(examination);
        (void)probe_run(reach_journal, examination, 3000);
}
