/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metadata.conf (exc-instance-connect-metadata.conf(5)), which two programs read: exc-instance-connect-metadata, for what to
 * ask, and the agent, for what it may be told. So what asks the network can neither choose the user nor how long a key lives.
 */
#ifndef EXC_METADATA_CONF_H
#define EXC_METADATA_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"

#define METADATA_CONF_FILE "metadata.conf" /* in the configuration directory */

enum {
        METADATA_USER_MAX = 256 + 1,   /* bytes, with the NUL */
        METADATA_INSTANCE_ID_MAX = 64, /* with the NUL */
        METADATA_ADDRESSES_MAX = 4,
        METADATA_AGE_DEFAULT_S = 900,
        METADATA_AGE_MIN_S = 60,
        METADATA_AGE_MAX_S = 86400,
};

/* Where a service has what is asked. */
enum metadata_format {
        METADATA_EC2,        /* /latest/meta-data/, each key at public-keys/N/openssh-key */
        METADATA_CLOUDSTACK, /* /latest/meta-data/, all keys at public-keys, a line each */
        METADATA_EXOSCALE,   /* the same at /1.0/meta-data/ */
};

struct metadata_conf {
        char user[METADATA_USER_MAX]; /* who gets the launch keys; "": nobody does */
        uint32_t max_age_s;           /* how long a launch key lives after the service was last asked */
        enum metadata_format format;
        struct strv addresses;      /* literal IPv4 or IPv6; empty: METADATA_ADDRESSES */
        bool token_required;        /* or else a service without tokens (IMDSv2) is asked all the same */
        bool instance_id;           /* the id of this machine may come from there */
        char error[CONF_ERROR_MAX]; /* "FILE:LINE: cause; next step"; "": none */
};

/* Those of EC2, which OpenStack and Eucalyptus share. A unit that limits the program's peers has the same. */
#define METADATA_ADDRESSES {"169.254.169.254", "fd00:ec2::254"}

/*
 * Reads DIR/metadata.conf. 0; -ENOENT: there is none, and nothing is configured; -EINVAL with the cause in `error`, and then
 * nothing is allowed. `files` gets each path that decides, and may be NULL, as `warning` may. `ret` must be cleared in any case.
 */
int metadata_conf_load(const char *dir, conf_warning warning, void *context, struct conf_files *files,
                       struct metadata_conf *ret);

void metadata_conf_clear(struct metadata_conf *conf);

/*
 * Whether `text` is an instance id in the form of that service: of EC2's, "i-" and 8 to 32 hexadecimal digits in lower case; of
 * the others, a UUID in lower case or CloudStack's "i-N-N-VM".
 */
bool metadata_instance_id_valid(enum metadata_format format, const char *text);

#endif
