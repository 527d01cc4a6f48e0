# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# A damaged store affects no other way to log in, and damaged keys let nobody in.

# The client offers `ours`, which makes sshd run the helper, and then `theirs`, which is in authorized_keys.
_authorized_key_works() {
    new_key theirs
    cp theirs.pub authorized_keys
    lets_in alice ours -o "IdentityFile=$PWD/theirs"
    grep -q "Failed publickey for alice.*$(fingerprint ours)" "$sshd_log"
    fails grep 'AuthorizedKeysCommand.*failed' "$sshd_log"
}

# A new sshd and a new store, with the key `ours` in it for any number of connections.
_store_with_ours() {
    own_store "AuthorizedKeysFile $PWD/authorized_keys"
    new_key ours
    push alice ours --connections 0
    lets_in alice ours
}

# ... COMMAND...: breaks the store.
_only_the_authorized_key_works_after() {
    _store_with_ours
    "$@"
    refuses alice ours
    _authorized_key_works
}

_files() {
    find "$runtime/$1" -type f "${@:2}"
}

_write_garbage() {
    local file
    for file in $(_files "$1"); do head -c 300 /dev/urandom >"$file"; done
}

an_authorized_key_works_while_the_store_is_empty() {
    own_store "AuthorizedKeysFile $PWD/authorized_keys"
    new_key ours
    _authorized_key_works
}

an_authorized_key_works_while_the_store_is_full() {
    own_store "AuthorizedKeysFile $PWD/authorized_keys"
    fails dd if=/dev/zero of="$runtime/state/filler" bs=64k status=none
    new_key ours
    _authorized_key_works
}

a_stored_key_lets_in_while_the_store_is_full() {
    own_store
    new_key k
    push alice k
    fails dd if=/dev/zero of="$runtime/state/filler" bs=64k status=none
    lets_in alice k
    refuses alice k
}

an_authorized_key_works_while_key_files_hold_garbage() {
    _only_the_authorized_key_works_after _write_garbage keys
}

an_authorized_key_works_while_key_files_are_cut_short() {
    _only_the_authorized_key_works_after _files keys -exec truncate -s 100 '{}' +
}

an_authorized_key_works_while_key_files_can_be_written_by_others() {
    _only_the_authorized_key_works_after _files keys -exec chmod 0646 '{}' +
}

an_authorized_key_works_while_key_files_are_symbolic_links() {
    _only_the_authorized_key_works_after _files keys -exec mv '{}' elsewhere ';' \
        -exec ln -s "$PWD/elsewhere" '{}' ';'
}

an_authorized_key_works_while_claim_files_are_gone() {
    _only_the_authorized_key_works_after _files claims -delete
}

an_authorized_key_works_while_claim_files_hold_garbage() {
    own_store "AuthorizedKeysFile $PWD/authorized_keys"
    new_key ours
    push alice ours --connections 100
    _write_garbage claims
    refuses alice ours
    _authorized_key_works
}

an_authorized_key_works_while_claim_files_are_empty() {
    own_store "AuthorizedKeysFile $PWD/authorized_keys"
    new_key ours
    push alice ours
    _files claims -exec truncate -s 0 '{}' +
    refuses alice ours
    _authorized_key_works
}

an_authorized_key_works_while_claim_files_cannot_be_written() {
    own_store "AuthorizedKeysFile $PWD/authorized_keys"
    new_key ours
    push alice ours
    _files claims -exec chmod 0640 '{}' +
    refuses alice ours
    _authorized_key_works
}

an_authorized_key_works_while_a_user_s_directory_can_be_written_by_others() {
    _only_the_authorized_key_works_after chmod 2757 "$PWD/store/keys/alice"
}

an_authorized_key_works_while_the_store_can_be_written_by_others() {
    _only_the_authorized_key_works_after chmod 0777 "$PWD/store"
}

an_authorized_key_works_while_the_store_lost_its_setgid_bit() {
    _only_the_authorized_key_works_after chmod g-s "$PWD/store/keys"
}

an_authorized_key_works_while_the_store_belongs_to_somebody_else() {
    _only_the_authorized_key_works_after chown bob "$PWD/store/keys"
}

an_authorized_key_works_while_the_store_cannot_be_read() {
    _only_the_authorized_key_works_after chmod 0700 "$PWD/store"
}

an_authorized_key_works_while_a_directory_of_the_store_is_gone() {
    _only_the_authorized_key_works_after rm -r "$PWD/store/claims"
}

an_authorized_key_works_while_the_store_is_not_mounted() {
    _only_the_authorized_key_works_after umount --lazy "$PWD/store"
}
