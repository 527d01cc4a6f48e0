/* SPDX-License-Identifier: Apache-2.0 */
#include "host/config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAIN_FILE "host.conf"
#define VM_SUFFIX ".conf"

enum {
        CID_FIRST = 3, /* 0 to 2 are the hypervisor, this machine and the host (vsock(7)) */
        REPORT_MAX = 2 * CONF_ERROR_MAX,
};

/* One VM's file. */
struct vm {
        struct instance_setting setting;
        bool has_id, has_channel;
        char *file;
        bool exists; /* the channel's socket, which then is this one */
        dev_t device;
        ino_t inode;
        bool left_out;
};

struct vms {
        struct vm *at;
        size_t n;
};

/* --- values ------------------------------------------------------------------------------------------------------- */

static int set_user(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        if (value[0] == '\0' || strlen(value) >= HOST_USER_MAX || strpbrk(value, " \t*?,\"':%@/"))
                return conf_fail(load, "%s: invalid name '%.64s': write the name of one user", key->name, value);
        memcpy(target, value, strlen(value) + 1);
        return 0;
}

static int set_name(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        if (!vm_id_valid(value))
                return conf_fail(load,
                                 "%s: invalid value '%.64s': expected 1..%d of a-z, 0-9, '.', '_' and '-', the first a "
                                 "letter or a digit",
                                 key->name, value, VM_ID_MAX - 1);
        memcpy(target, value, strlen(value) + 1);
        return 0;
}

static int set_directory(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        if (value[0] != '/' || strlen(value) >= PATH_MAX)
                return conf_fail(load, "%s: invalid path '%.64s': write an absolute path", key->name, value);
        memcpy(target, value, strlen(value) + 1);
        return 0;
}

static int set_id(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        struct vm *vm = target;

        vm->has_id = true;
        return set_name(load, key, value, vm->setting.id);
}

static int set_channel(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        struct vm *vm = target;
        const struct address *address = &vm->setting.address;
        const char *fault = address_from_text(value, &vm->setting.address);

        if (!fault && address->kind == ADDRESS_VSOCK && address->cid < CID_FIRST)
                fault = "the CID of a VM is 3 or more";
        if (!fault && address->kind != ADDRESS_VSOCK && address->path[0] != '/')
                fault = "write an absolute path";
        if (fault)
                return conf_fail(load, "%s: invalid value '%.64s': %s", key->name, value, fault);
        vm->has_channel = true;
        return 0;
}

static const struct conf_key host_keys[] = {
        {.name = "Name", .set = set_name, .offset = offsetof(struct host_config, name)},
        {.name = "VmDirectory", .set = set_directory, .offset = offsetof(struct host_config, vm_directory)},
        {.name = "ApiUser", .set = set_user, .offset = offsetof(struct host_config, api_user)},
        {.name = "Waiting",
         .set = conf_set_number,
         .offset = offsetof(struct host_config, limits.waiting),
         .min = 1,
         .max = 200,
         .unit = " calls"},
        {.name = "WaitingPerGuest",
         .set = conf_set_number,
         .offset = offsetof(struct host_config, limits.guest_waiting),
         .min = 0,
         .max = 100,
         .unit = " calls"},
        {.name = NULL},
};

static const struct conf_key vm_keys[] = {
        {.name = "Id", .set = set_id},
        {.name = "Channel", .set = set_channel},
        {.name = NULL},
};

/* --- reports ------------------------------------------------------------------------------------------------------ */

struct reporter {
        host_config_report report;
        void *context;
};

static void on_warning(void *context, const char *file, unsigned line, const char *text) {
        const struct reporter *reporter = context;
        char whole[REPORT_MAX];

        (void)snprintf(whole, sizeof(whole), "%.230s:%u: %s", file, line, text);
        reporter->report(reporter->context, whole);
}

/* Paths are printed on terminals: an administrator may have any, a report is one line of printable ASCII. */
static void report_both(const struct reporter *reporter, const struct vm *vm, const struct vm *other,
                        const char *what) {
        char whole[REPORT_MAX];

        (void)snprintf(whole, sizeof(whole), "%.230s: %s is also in %.230s; both VMs are left out, change one of them",
                       vm->file, what, other->file);
        for (char *c = whole; *c; c++)
                if (*c < ' ' || *c > '~')
                        *c = '?';
        reporter->report(reporter->context, whole);
}

/* --- the directory of VMs ----------------------------------------------------------------------------------------- */

static bool same_channel(const struct vm *a, const struct vm *b) {
        const struct address *x = &a->setting.address, *y = &b->setting.address;

        /* Whatever the port: it is the same VM. */
        if (x->kind == ADDRESS_VSOCK || y->kind == ADDRESS_VSOCK)
                return x->kind == y->kind && x->cid == y->cid;
        return strcmp(x->path, y->path) == 0 ||
               (a->exists && b->exists && a->device == b->device && a->inode == b->inode);
}

static void leave_out_doubles(const struct reporter *reporter, struct vms *vms) {
        for (size_t i = 0; i < vms->n; i++)
                for (size_t j = 0; j < i; j++) {
                        bool id = strcmp(vms->at[i].setting.id, vms->at[j].setting.id) == 0;

                        if (!id && !same_channel(&vms->at[i], &vms->at[j]))
                                continue;
                        report_both(reporter, &vms->at[i], &vms->at[j], id ? "its Id" : "its Channel");
                        vms->at[i].left_out = vms->at[j].left_out = true;
                }
}

/* 0: the VM is in `vms`. 1: it is reported and left out. -ENOMEM. */
static int load_vm(struct reporter *reporter, int dir_fd, const char *dir, const char *name, struct vms *vms) {
        struct vm *vm = &vms->at[vms->n];
        struct conf_load load = {
                .section = "Instance",
                .keys = vm_keys,
                .target = vm,
                .reader = "the user exc-host",
                .advice = "it describes one VM",
                .warning = on_warning,
                .context = reporter,
        };
        struct stat st;
        int r;

        *vm = (struct vm){.has_id = false};
        r = conf_load_file(&load, dir_fd, dir, name);
        load.line = 0;
        /* A link to /dev/null turns a VM off. */
        if (r == 0 && !vm->has_id && !vm->has_channel)
                return 1;
        if (r == 0 && !vm->has_id)
                r = conf_fail(&load, "Id is missing; add it, or remove the file");
        if (r == 0 && !vm->has_channel)
                r = conf_fail(&load, "Channel is missing; add it, or remove the file");
        if (r < 0) {
                reporter->report(reporter->context, load.error);
                return 1;
        }
        vm->file = strdup(load.file);
        if (!vm->file)
                return -ENOMEM;
        if (vm->setting.address.kind != ADDRESS_VSOCK && stat(vm->setting.address.path, &st) == 0) {
                vm->exists = true;
                vm->device = st.st_dev;
                vm->inode = st.st_ino;
        }
        vms->n++;
        return 0;
}

static int take_vms(const struct vms *vms, struct host_config *ret) {
        ret->instances = calloc(vms->n > 0 ? vms->n : 1, sizeof(ret->instances[0]));
        if (!ret->instances)
                return -ENOMEM;
        for (size_t i = 0; i < vms->n; i++)
                if (!vms->at[i].left_out)
                        ret->instances[ret->n_instances++] = vms->at[i].setting;
        return 0;
}

static int load_names(struct reporter *reporter, int dir_fd, const char *dir, const struct strv *names,
                      struct host_config *ret) {
        struct vms vms = {.at = calloc(names->n > 0 ? names->n : 1, sizeof(vms.at[0]))};
        int r = vms.at ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < names->n; i++)
                r = load_vm(reporter, dir_fd, dir, names->item[i], &vms);
        if (r >= 0) {
                leave_out_doubles(reporter, &vms);
                r = take_vms(&vms, ret);
        }
        for (size_t i = 0; i < vms.n; i++)
                free(vms.at[i].file);
        free(vms.at);
        return r;
}

static int load_vms(struct conf_load *load, struct reporter *reporter, struct host_config *ret) {
        struct strv names = {.n = 0};
        int fd = -EBADF, r;

        r = conf_open_dir(load, AT_FDCWD, ret->vm_directory, NULL, &fd);
        if (r != 0)
                return r < 0 ? r : 0;
        r = conf_list(load, fd, VM_SUFFIX, HOST_VMS_MAX, &names);
        if (r >= 0)
                r = load_names(reporter, fd, ret->vm_directory, &names, ret);
        strv_clear(&names);
        (void)close(fd);
        return r;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static int load_main(struct conf_load *load, const char *dir) {
        int fd = -EBADF, r;

        r = conf_open_dir(load, AT_FDCWD, dir, NULL, &fd);
        if (r != 0)
                return r < 0 ? r : 0;
        if (!conf_is_missing(fd, MAIN_FILE))
                r = conf_load_file(load, fd, dir, MAIN_FILE);
        (void)close(fd);
        return r;
}

/* The machine's name, where the configuration has none. */
static int default_name(struct conf_load *load, struct host_config *config) {
        char name[VM_ID_MAX + 1] = "";

        if (gethostname(name, sizeof(name) - 1) < 0)
                name[0] = '\0';
        for (char *c = name; *c; c++)
                *c = (char)tolower((unsigned char)*c);
        if (!vm_id_valid(name))
                return conf_fail(load, "Name is missing, and the machine's name '%.64s' does not serve; set it", name);
        memcpy(config->name, name, strlen(name) + 1);
        return 0;
}

int host_config_load(const char *dir, host_config_report report, void *context, struct host_config *ret) {
        struct reporter reporter = {.report = report, .context = context};
        struct conf_load load = {
                .section = "Host",
                .keys = host_keys,
                .target = ret,
                .reader = "the user exc-host",
                .advice = "shorten it",
                .warning = on_warning,
                .context = &reporter,
        };
        int r;

        *ret = (struct host_config){.limits = HOST_LIMITS_DEFAULT};
        (void)snprintf(ret->vm_directory, sizeof(ret->vm_directory), "%s/vm.d", dir);
        r = load_main(&load, dir);
        if (r >= 0 && !ret->name[0]) {
                (void)conf_begin_path(&load, dir, MAIN_FILE);
                r = default_name(&load, ret);
        }
        if (r >= 0)
                r = load_vms(&load, &reporter, ret);
        if (r == -EINVAL)
                memcpy(ret->error, load.error, sizeof(ret->error));
        return r < 0 ? r : 0;
}

void host_config_clear(struct host_config *config) {
        free(config->instances);
        config->instances = NULL;
        config->n_instances = 0;
}
