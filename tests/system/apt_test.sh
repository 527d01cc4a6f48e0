# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# short: bookworm
# What users have of the package repository, and what apt says to one that is not as it should be.

# shellcheck source=tests/system/repository.sh
. "$system_tree/tests/system/repository.sh"

archive=https://repo.excloud.in
key_file=/usr/share/keyrings/excloud-apt.gpg

# _keyring_package VERSION KEYS: the real one, with these keys in it, and this version.
_keyring_package() {
    local directory
    directory=$(mktemp -d "$PWD/keyring-XXXXXX")
    dpkg-deb --raw-extract "$(our_deb excloud-archive-keyring)" "$directory/tree"
    sed -i "s/^Version: .*/Version: $1/" "$directory/tree/DEBIAN/control"
    publisher "$2" keyring "$directory/tree$key_file"
    (cd "$directory/tree" && find usr -type f -exec md5sum {} + >DEBIAN/md5sums)
    dpkg-deb --root-owner-group -Znone --build "$directory/tree" "$directory" >/dev/null
    rm -r "$directory/tree"
    echo "$directory"/*.deb
}

# _serve DIRECTORY: what the web server shows from now on.
_serve() {
    ln -sfn "$PWD/$1" served
}

# _machine: boots the machine m, which believes this test's web server to be that of the repository.
_machine() {
    local leader root
    machine_start m "$suite"
    root=$(machine_root m)
    openssl req -x509 -newkey ed25519 -noenc -days 2 -subj '/CN=Throw-away CA of a test' -keyout ca.key -out ca.pem \
        -addext basicConstraints=critical,CA:TRUE 2>openssl.txt
    openssl req -x509 -newkey ed25519 -noenc -days 2 -subj "/CN=${archive#*//}" -keyout web.key -out web.pem \
        -CA ca.pem -CAkey ca.key -addext "subjectAltName=DNS:${archive#*//}" \
        -addext basicConstraints=critical,CA:FALSE 2>openssl.txt
    cat ca.pem >>"$root/etc/ssl/certs/ca-certificates.crt"
    echo "127.0.0.1 ${archive#*//}" >>"$root/etc/hosts"
    leader=$(<"$(machine_directory m)/leader")
    : >web.log
    nsenter -t "$leader" -n -- /usr/bin/python3 "$system_tree/tests/system/web_server.py" \
        "$PWD/served" web.pem web.key web.log >&2 &
    wait_for in_machine m curl -fs -o /dev/null "$archive/RepoKey.gpg"
}

# _apt [OPTION...] COMMAND...: a user's, who is asked nothing. Anything that apt warns of is a failure.
_apt() {
    local status=0
    in_machine m apt-get -q -y -o APT::Update::Error-Mode=any "$@" >apt.txt 2>&1 </dev/null || status=$?
    if ((status == 0)) && ! grep -qE '^(W:|E:|Err:)' apt.txt; then return; fi
    echo "apt-get $*: status $status"
    cat apt.txt
    return 1
}

# _client KEYS: the machine m, with the repository's keys as they are now; the repository in ./repository is served.
_client() {
    _serve repository/current
    _machine
    publisher "$1" keyring "$(machine_root m)$key_file"
    echo "deb [signed-by=$key_file] $archive stable main" >"$(machine_root m)/etc/apt/sources.list.d/excloud.list"
    _apt update
}

# _has VERSION: the machine has that version of the package dish.
_has() {
    same "$1" "$(in_machine m cat /usr/share/dish/text)"
}

# A client that has version 1 of a package, and a repository with version 2, for what apt refuses.
_prepare() {
    new_keys keys >subkey
    publisher keys publish repository "$(small_package dish 1)"
    _client keys
    _apt install dish
    cp -a "$(machine_root m)/var/lib/apt/lists" lists
    cp "$(machine_root m)$key_file" client.gpg
    publisher keys publish repository "$(small_package dish 2)"
}

# _offer: that client is as it was, and a copy of that repository, ./offered, is what it is served; each test spoils it.
_offer() {
    local root
    root=$(machine_root m)
    in_machine m find /var/lib/apt/lists /var/cache/apt -type f -delete
    cp -a "$prepared/lists" "$root/var/lib/apt/"
    cp "$prepared/client.gpg" "$root$key_file"
    cp -a "$prepared"/{keys,subkey} .
    cp -a "$(readlink -f "$prepared/repository/current")" offered
    ln -sfn "$PWD/offered" "$prepared/served"
}

# _offer_is_refused MESSAGE: in these words, by a client that knows the repository and by one that is new to it; neither
# gets version 2.
_offer_is_refused() {
    local client
    for client in known new; do
        if [[ $client == new ]]; then in_machine m find /var/lib/apt/lists /var/cache/apt -type f -delete; fi
        in_machine m apt-get -q update >apt.txt 2>&1 || true
        if ! grep -E "$1" apt.txt; then
            echo "a $client client does not say '$1':"
            cat apt.txt
            return 1
        fi
        fails grep '| *2 |' <(in_machine m apt-cache madison dish)
        fails in_machine m apt-get -q -y install dish=2 >apt.txt 2>&1
        _has 1
    done
}

# --- what users do

# _a_strict_umask_needs_the_mode COMMAND...: those before apt, by root under umask 077: apt cannot read the key until the mode is
# set as the README has it. Afterwards there is nothing of it.
_a_strict_umask_needs_the_mode() {
    local command mode='sudo chmod 0644 /usr/share/keyrings/excloud-apt.gpg'
    grep -qxF -- "$mode" "$system_tree/README.md"
    for command; do in_machine m runuser -l root -c "umask 077; set -o pipefail; $command"; done
    fails_with 'NO_PUBKEY|not signed' in_machine m apt-get update
    in_machine m runuser -l root -c "umask 077; $mode"
    in_machine m apt-get update
    in_machine m rm /usr/share/keyrings/excloud-apt.gpg /etc/apt/sources.list.d/excloud.list
}

the_three_commands_that_users_are_given_work_to_the_letter() {
    local commands number
    new_keys keys >subkey
    publisher keys publish repository "$(our_deb exc-instance-connect)" "$(our_deb exc-push)" \
        "$(_keyring_package 2026.11.21 keys)"
    _serve repository/current
    _machine
    echo 'alice ALL=(ALL) NOPASSWD: ALL' >"$(machine_root m)/etc/sudoers.d/alice"
    mapfile -t commands <<'END'
curl -fsSL https://repo.excloud.in/RepoKey.gpg | sudo gpg --dearmor -o /usr/share/keyrings/excloud-apt.gpg
echo "deb [signed-by=/usr/share/keyrings/excloud-apt.gpg] https://repo.excloud.in stable main" | sudo tee /etc/apt/sources.list.d/excloud.list
sudo apt update && sudo apt install exc-instance-connect
END
    _a_strict_umask_needs_the_mode "${commands[@]:0:2}"
    for ((number = 0; number < ${#commands[@]}; number++)); do
        grep -qxF -- "${commands[number]}" "$system_tree/README.md"
        # What a person answers who is asked whether to go on, once.
        echo Y | in_machine m runuser -l alice -c "set -o pipefail; ${commands[number]}" 2>&1 | tee "said.$number"
        if ((number == 1)); then cp "$(machine_root m)$key_file" by_hand.gpg; fi
    done
    fails grep -E '^(W|E|Warning|Error):|^Err:' said.*
    in_machine m exc-instance-connect --version
    no_failed_unit m

    # The key that was put there by hand is the keyring package's now, which asked nothing; and apt goes on.
    fails grep -E "^Configuration file '|\(Y/I/N/O/D/Z\)" said.2
    same "excloud-archive-keyring: $key_file" "$(in_machine m dpkg -S "$key_file")"
    publisher keys keyring public.gpg
    cmp public.gpg "$(machine_root m)$key_file"
    cmp by_hand.gpg "$(machine_root m)$key_file"
    in_machine m dpkg --verify excloud-archive-keyring
    _apt update

    # By their hashes alone, so that a publication in between does not matter.
    grep -E '^200 /dists/stable/main/binary-amd64/by-hash/SHA(256|512)/[0-9a-f]+$' web.log
    fails grep -E ' /dists/stable/main/.*/Packages' web.log

    # What came from there is all that a push needs, and a login by the machine's own sshd; and again after a reboot.
    _apt install exc-push
    trusts_cloud m
    new_key once
    refuses m alice once
    push_signed m alice once
    lets_in m alice once
    refuses m alice once
    new_key lasting
    push_signed m alice lasting --connections 0 --ttl 300
    lets_in m alice lasting
    machine_reboot m
    refuses m alice lasting
    push_signed m alice once
    lets_in m alice once
    refuses m alice once
    no_failed_unit m
}

# With all that they depend on; cloud_test.sh shows what they do.
the_control_plane_is_installed_from_the_repository() {
    new_keys keys >subkey
    publisher keys publish repository "$(our_deb exc-compute-api)" "$(our_deb exc-host)"
    _client keys
    _apt install exc-compute-api exc-host
    same '' "$(in_machine m dpkg --verify exc-compute-api exc-host)"
    in_machine m exc-compute-admin init >token
    in_machine m exc-compute-admin instance put 42 --host local --default-user alice
    # API, signer and host answer; the host has no such VM.
    says '"error":"GuestUnreachable"' in_machine m curl -s --unix-socket /run/exc-compute-api/api.sock \
        -H "Authorization: Bearer $(<token)" -d '{"vm_id": 42}' http://localhost/compute/instance/connect
    no_failed_unit m
}

# short: no
# _documented_lines: those of docs/repository.md for a machine without gnupg, up to apt's.
_documented_lines() {
    sed -n '/Where there is no gnupg/,/^Nothing renews/ s/^    //p' "$system_tree/docs/repository.md" | sed '/^sudo apt /d'
}

the_key_is_taken_as_it_is_where_there_is_no_gnupg() {
    local lines umask
    new_keys keys >subkey
    publisher keys publish repository "$(small_package dish 1)"
    _serve repository/current
    _machine
    echo 'alice ALL=(ALL) NOPASSWD: ALL' >"$(machine_root m)/etc/sudoers.d/alice"
    lines=$(_documented_lines)
    grep -F 'sudo curl -fsSLo /etc/apt/keyrings/' <<<"$lines"
    for umask in 022 027 077; do
        in_machine m rm -rf /etc/apt/keyrings /etc/apt/sources.list.d/excloud.sources
        in_machine m find /var/lib/apt/lists -type f -delete
        in_machine m runuser -l alice -c "umask $umask; set -euo pipefail; $lines"
        same '644 644' "$(in_machine m sh -c 'stat -c %a /etc/apt/keyrings/* /etc/apt/sources.list.d/excloud.sources' | xargs)"
        _apt update
    done
    _apt install dish
    _has 1
}

a_second_version_is_an_upgrade_and_the_first_stays_installable() {
    new_keys keys >subkey
    publisher keys publish repository "$(small_package dish 1)"
    _client keys
    _apt install dish
    _has 1
    publisher keys publish repository "$(small_package dish 2)"
    _apt update
    _apt upgrade
    _has 2
    _apt --allow-downgrades install dish=1
    _has 1
    same "1 2 " "$(in_machine m apt-cache madison dish | awk '{ print $3 }' | sort | tr '\n' ' ')"
}

# short: no
nobody_who_updates_meets_a_publication_half_way() {
    local number updates=0 client
    new_keys keys >subkey
    publisher keys publish repository "$(small_package dish 0)"
    _client keys
    (
        while [[ ! -e enough ]]; do
            _apt update || { touch failed && exit 1; }
            echo >>updates
            sleep 0.1
        done
    ) &
    client=$!
    for number in 1 2 3 4; do publisher keys publish repository "$(small_package dish "$number")"; done
    touch enough
    wait "$client"
    [[ ! -e failed ]]
    updates=$(wc -l <updates)
    echo "$updates updates during 4 publications"
    ((updates >= 4))
    _apt update
    _apt install dish
    _has 4
}

# --- what apt refuses

a_package_that_was_tampered_with_is_refused() {
    local package
    _offer
    package=offered/pool/main/d/dish/dish_2_all.deb
    # Of the same length, so that only the hash can tell.
    sed --follow-symlinks 's/It is only for this test/It is only for this TEST/' "$package" >tampered
    fails cmp -s tampered "$package"
    same "$(stat -c %s "$package")" "$(stat -c %s tampered)"
    mv tampered "$package"
    _apt update
    fails in_machine m apt-get -q -y install dish=2 >apt.txt 2>&1
    grep 'Hash Sum mismatch' apt.txt
    _has 1
}

# short: no
an_index_that_was_tampered_with_is_refused() {
    local file
    _offer
    while IFS= read -r -d '' file; do
        # Of the same length, so that only the hash can tell.
        printf x | dd of="$file" bs=1 seek=40 conv=notrunc status=none
    done < <(find offered/dists/stable/main -type f -print0)
    _offer_is_refused 'Hash Sum mismatch|unexpected size'
}

# short: no
a_release_that_has_expired_is_refused() {
    _offer
    sed -i -e "s/^Date: .*/Date: $(date -Ru -d '-2 days')/" \
        -e "s/^Valid-Until: .*/Valid-Until: $(date -Ru -d '-1 day')/" \
        offered/dists/stable/Release
    sign_again keys/online "$(<subkey)"
    # One that knows the repository takes nothing older than what it has; this is about one that is new.
    in_machine m find /var/lib/apt/lists -type f -delete
    _offer_is_refused "Release file for $archive/dists/stable/InRelease is expired"
}

# short: no
a_release_signed_with_a_wrong_key_is_refused() {
    _offer
    new_keys others >others_subkey
    sign_again others/online "$(<others_subkey)"
    _offer_is_refused "(NO_PUBKEY|Missing key) [0-9A-F]*$(tail -c 17 others_subkey)"
}

# short: no
a_release_signed_with_a_subkey_that_users_do_not_have_is_refused() {
    _offer
    new_keys keys again >next_subkey
    sign_again keys/online "$(<next_subkey)"
    _offer_is_refused "(NO_PUBKEY|Missing key) [0-9A-F]*$(tail -c 17 next_subkey)"
}

# short: no
a_release_signed_with_a_revoked_subkey_is_refused() {
    _offer
    revoke_subkey
    gpg_of keys/offline --export >"$(machine_root m)$key_file"
    _offer_is_refused "REVKEYSIG|revoked"
}

# short: no
a_release_whose_text_was_changed_is_refused() {
    _offer
    sed -i 's/^Label: excloud/Label: Excloud/' offered/dists/stable/{InRelease,Release}
    _offer_is_refused 'BADSIG|Message has been manipulated'
}

# short: no
a_release_without_its_signature_is_refused() {
    _offer
    rm offered/dists/stable/{InRelease,Release.gpg}
    _offer_is_refused "The repository '$archive stable Release' (is not|is no longer) signed"
}

# short: no
an_inrelease_that_is_only_text_is_refused() {
    _offer
    cp offered/dists/stable/Release offered/dists/stable/InRelease
    _offer_is_refused "NOSPLIT|isn't valid|is not signed|no signature"
}

# A client that is new cannot tell; for it, only Valid-Until limits this.
# short: no
an_older_release_that_is_replayed_takes_nothing_back() {
    new_keys keys >subkey
    publisher keys publish repository "$(small_package dish 1)"
    _client keys
    cp -a "$(readlink -f repository/current)" old
    publisher keys publish repository "$(small_package dish 2)"
    _apt update
    # Else the client is not even given it.
    touch -d '+1 minute' old/dists/stable/*
    _serve old
    in_machine m apt-get -q update -o Debug::pkgAcquire::Auth=1 >apt.txt 2>&1
    cat apt.txt
    grep '^Get:' apt.txt
    _serve repository/current
    _apt install dish
    _has 2
}

# --- keys that change

a_client_that_upgrades_its_keyring_goes_on_when_the_signing_key_changes() {
    local second
    new_keys keys >subkey
    publisher keys publish repository "$(small_package dish 1)" "$(_keyring_package 1 keys)"
    _client keys
    _apt install excloud-archive-keyring dish

    # The next subkey is given to users first; the old one still signs.
    second=$(new_keys keys again)
    publisher keys publish repository "$(_keyring_package 2 keys)" | grep "signed by $(<subkey)"
    cp "$(machine_root m)$key_file" late.gpg
    _apt update
    _apt upgrade
    fails cmp -s late.gpg "$(machine_root m)$key_file"

    # Then the old one's secret is taken away.
    gpg_of keys/online --delete-secret-keys "$(<subkey)!"
    publisher keys publish repository "$(small_package dish 2)" | grep "signed by $second"
    _apt update
    _apt upgrade
    _has 2

    # One that missed it is told so, and gets the key as it got the first.
    cp late.gpg "$(machine_root m)$key_file"
    in_machine m apt-get -q update >apt.txt 2>&1 || true
    grep -E "(NO_PUBKEY|Missing key) [0-9A-F]*${second: -16}" apt.txt
    in_machine m bash -euo pipefail -c "curl -fsSL $archive/RepoKey.gpg | gpg --dearmor >$key_file"
    _apt update
}
