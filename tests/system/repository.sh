# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# What tests of the package repository say. KEYS is a directory that new_keys made.

repository=$system_tree/packaging/apt/repository

# new_keys NAME [again]: throw-away keys, in NAME; or one more subkey. Prints the subkey's fingerprint.
new_keys() {
    "$system_tree/packaging/apt/throw-away-keys" "$PWD/$1" "${@:2}"
}

# publisher KEYS COMMAND...: as one who has the subkeys.
publisher() {
    GNUPGHOME=$PWD/$1/online "$repository" "${@:2}"
}

# gpg_of KEYS/HOME OPTION...
gpg_of() {
    GNUPGHOME=$PWD/$1 gpg --no-options --batch --quiet --no-tty --yes --pinentry-mode loopback --passphrase '' \
        --trust-model always --digest-algo SHA512 --cert-digest-algo SHA512 "${@:2}"
}

primary_of() {
    gpg_of "$1" --with-colons --list-keys | awk -F: '$1 == "fpr" { print $10; exit }'
}

# small_package NAME VERSION [TEXT]: prints the path of a small package with that text in it.
small_package() {
    local directory
    directory=$(mktemp -d "$PWD/package-XXXXXX")
    mkdir -p "$directory"/tree/{DEBIAN,usr/share/"$1"}
    echo "${3:-$2}" >"$directory/tree/usr/share/$1/text"
    printf '%s\n' "Package: $1" "Version: $2" 'Architecture: all' 'Maintainer: Nobody <nobody@localhost>' \
        'Description: small' ' It is only for this test.' >"$directory/tree/DEBIAN/control"
    chmod -R u=rwX,go=rX "$directory"
    dpkg-deb --root-owner-group -Znone --build "$directory/tree" "$directory" >/dev/null
    rm -r "$directory/tree"
    echo "$directory"/*.deb
}

# sign_again KEYS/HOME SUBKEY [TREE]: its Release, by hand; TREE is ./offered.
sign_again() {
    local dist=${3:-offered}/dists/stable
    gpg_of "$1" --local-user "$2!" --armor --output "$dist/Release.gpg" --detach-sign "$dist/Release"
    gpg_of "$1" --local-user "$2!" --output "$dist/InRelease" --clear-sign "$dist/Release"
}

# revoke_subkey: the first one of the offline primary.
revoke_subkey() {
    printf '%s\n' 'key 1' revkey y 0 '' y save | GNUPGHOME=$PWD/keys/offline gpg --no-options --quiet --no-tty \
        --pinentry-mode loopback --passphrase '' --command-fd 0 --edit-key "$(primary_of keys/offline)" >revoke.txt 2>&1
    gpg_of keys/offline --with-colons --list-keys | grep '^sub:r:'
}

# check_all: with the public keys of this moment, as a user has them.
check_all() {
    publisher keys keyring public.gpg
    "$repository" check repository public.gpg
}
