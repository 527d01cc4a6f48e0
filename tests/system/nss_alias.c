/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A name service module ("alias" in nsswitch.conf) with one account that has several names, as SSSD with a default domain and
 * a directory that ignores case: dana and DANA are dana@corp.example. For the account inet it needs a socket of the internet.
 */
#include <errno.h>
#include <nss.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum nss_status _nss_alias_getpwnam_r(const char *, struct passwd *, char *, size_t, int *);
enum nss_status _nss_alias_getpwuid_r(uid_t, struct passwd *, char *, size_t, int *);

static enum nss_status fill(struct passwd *entry, char *buffer, size_t size, int *error) {
        static const char text[] = "dana@corp.example\0*\0Dana\0/home/dana\0/bin/bash";

        if (size < sizeof(text)) {
                *error = ERANGE;
                return NSS_STATUS_TRYAGAIN;
        }
        memcpy(buffer, text, sizeof(text));
        entry->pw_uid = entry->pw_gid = 1500;
        entry->pw_name = buffer;
        entry->pw_passwd = entry->pw_name + strlen(entry->pw_name) + 1;
        entry->pw_gecos = entry->pw_passwd + strlen(entry->pw_passwd) + 1;
        entry->pw_dir = entry->pw_gecos + strlen(entry->pw_gecos) + 1;
        entry->pw_shell = entry->pw_dir + strlen(entry->pw_dir) + 1;
        return NSS_STATUS_SUCCESS;
}

static enum nss_status fill_inet(struct passwd *entry, char *buffer, size_t size, int *error) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        enum nss_status status;

        if (fd < 0) {
                *error = errno;
                return NSS_STATUS_UNAVAIL;
        }
        (void)close(fd);
        status = fill(entry, buffer, size, error);
        if (status == NSS_STATUS_SUCCESS)
                entry->pw_name = entry->pw_dir = strcpy(buffer, "inet");
        return status;
}

enum nss_status _nss_alias_getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size, int *error) {
        if (strcmp(name, "inet") == 0)
                return fill_inet(entry, buffer, size, error);
        if (strcasecmp(name, "dana") != 0 && strcasecmp(name, "dana@corp.example") != 0)
                return NSS_STATUS_NOTFOUND;
        return fill(entry, buffer, size, error);
}

enum nss_status _nss_alias_getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size, int *error) {
        return uid == 1500 ? fill(entry, buffer, size, error) : NSS_STATUS_NOTFOUND;
}
