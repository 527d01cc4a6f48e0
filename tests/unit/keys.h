/* SPDX-License-Identifier: Apache-2.0 */
/* One key of each type, as ssh-keygen made it, with the fingerprint that ssh-keygen -l and sshd's log show. */
#ifndef EXC_KEYS_H
#define EXC_KEYS_H

#include <stddef.h>

#include "common/ssh_key.h"

struct known_key {
        enum ssh_key_type type;
        const char *text;
        const char *fingerprint;
};

static const struct known_key known_keys[] = {
        {SSH_KEY_ED25519, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKj9Ne19cX0N0GriPChvaudeZoS7d4sWrB72aqPpTape",
         "SHA256:gnOW+ucjqSULxvi3D5ayDdFdc73j6dBINolLLfwXZa0"},
        {SSH_KEY_ECDSA_P256,
         "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBNlEvWSfZICZ/o/gP3smYX/q"
         "qXi3prFiMSrfmBGrZq4g2E6GPeGvsTOCXne2KWyeXoQRvjed1PdIFh3c4BYC8Uk=",
         "SHA256:4klAftc0WebaKLnaRvAwBZLetWERLgotarZW8cZVd08"},
        {SSH_KEY_ECDSA_P384,
         "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBLQ2YVHsPy5KODvjPttfkqGb"
         "6GNN9cPn5FwKMtaecJUDf3m8BEPoCcnxkfZBCeeXLfdZ+tMn0gQ4PbGbAUPL2PkUaDllkVtSE7Q++ElT0+NV1h1dHbUNZMLO"
         "VW/OuxHkbw==",
         "SHA256:kEE+vZDw9wuD3vWveOWRmkfarTHIEp6wMZ8pHcZM7m8"},
        {SSH_KEY_ECDSA_P521,
         "ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAHgB/RNw+US4UNgwHtsoNyc"
         "hR0Ajlz1NPEvkmDM5NLbSuSKlpa3KE8oNvw/ucnH0yIcvRU4B46E/C9fFAHXYvSF2wCdVP6hxgD494phLjJE7XLUC9jQgqw1"
         "eD9b6ma6XYaag2RVg0iIOTbDvl7JxqF77/cHZy+znsh2PDpmwzJ0sjBNxw==",
         "SHA256:XH7yF0SIAXw44gvU8IUpQ+NFgqfpPiL+seJRZ9ZlN6o"},
        {SSH_KEY_RSA,
         "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDImLweXZCT99OPUJHbx3kb56+3Txvfu1cm2sZg8jdFD3H+6WxrWP2RU26i"
         "nKt69igP23oVYQWdhyRr+6LtAW7BwbM1uEoUSjbxcHe886TqnBZexKPh2V21sz783XiZN2Mq3O75CIAUzYmaAf8F/bpyvGyK"
         "v6pJ0jUJy6v44chkrzvSwWeRx380ocbvLpUUC1kh+OctKQDJFYzfs8NxjIsALtWFJfCB8/YNlva323RfsxkmmORFSbd2YsfD"
         "dRMZhmQdWeY4pz2MonzcgZsQVB6LyWjFOEB6VhKKvolrXESEVkBicsoZatCNuOHy3jBChRm7AYjM8rSXezyisbxRahml",
         "SHA256:9X4Fd7RlNADVEZ+JIHfl/tDtwJOQAv7mgz+4IUZjQ7Q"},
        {SSH_KEY_SK_ED25519,
         "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAWzR4F0I2NQhnP/bZcixwskk"
         "+h2bh5uHuKUoZfIOieNAAAABHNzaDo=",
         "SHA256:iq67w6d9uVjvzvLtJWzgSLzAuUvJzdx3DyPMEIlqcD4"},
        {SSH_KEY_SK_ECDSA_P256,
         "sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlzd"
         "HAyNTYAAABBBOU/zzaXHj/+XhvXxDGkFFYS6xFaXpIgCwAqZOZnLaVkVKd7gGbvwbDBFLBc8qRYVubon0YB9rrDmQ/T19PVV"
         "4cAAAAKc3NoOmxhcHRvcA==",
         "SHA256:mT1BlT/lYPdMSVeCjCqNh24u+ki0QH1MC9J7GgMKmwI"},
};

enum { N_KNOWN_KEYS = sizeof(known_keys) / sizeof(known_keys[0]) };

#endif
