# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# How the package repository is published. No machine is in this, so once is enough.

# shellcheck source=tests/system/repository.sh
. "$system_tree/tests/system/repository.sh"

# _not_published MESSAGE COMMAND...: it fails in these words, and the repository, if there is one, is as it was.
_not_published() {
    local before status=0
    before=$(readlink repository/current || true)
    "${@:2}" >refused.txt 2>&1 || status=$?
    if ((status != 1)) || ! grep -qF "$1" refused.txt; then
        echo "does not fail with '$1': ${*:2}: status $status, $(<refused.txt)"
        return 1
    fi
    same "$before" "$(readlink repository/current || true)"
    [[ ! -e repository/building ]]
    [[ -z $before ]] || check_all
}

# suites: bookworm
# short: no
what_a_subkey_has_signed_that_has_expired_since_is_signed_again() {
    local late
    new_keys keys >subkey
    publisher keys publish repository "$(small_package dish 1)"
    gpg_of keys/offline --quick-add-key "$(primary_of keys/offline)" ed25519 sign seconds=2
    gpg_of keys/offline --export-secret-subkeys | gpg_of keys/online --import
    late=$(gpg_of keys/online --with-colons --list-keys | awk -F: '$1 == "fpr" { found = $10 } END { print found }')
    sign_again keys/online "$late" repository/current
    sleep 2.1
    publisher keys keyring public.gpg
    fails "$repository" check repository public.gpg
    publisher keys resign repository | grep "signed by $(<subkey)"
    check_all
}

# suites: trixie
# short: no
a_new_primary_key_is_given_to_users_before_it_signs() {
    local old new
    new_keys keys >subkey
    new_keys others >others_subkey
    old=$(primary_of keys/online) new=$(primary_of others/online)
    publisher keys publish repository "$(small_package dish 1)"
    gpg_of others/online --export | gpg_of keys/online --import
    publisher keys --key "$old" --key "$new" resign repository | grep "signed by $(<subkey)"
    same "$old $new" "$(_primaries_in repository/current/RepoKey.gpg)"
    gpg_of others/online --export-secret-subkeys | gpg_of keys/online --import
    publisher keys --key "$new" --key "$old" resign repository | grep "signed by $(<others_subkey)"
    publisher keys --key "$new" keyring new.gpg
    fails_with 'has other keys than the keyring' "$repository" check repository new.gpg
    publisher keys --key "$new" resign repository
    same "$new" "$(_primaries_in repository/current/RepoKey.asc)"
    "$repository" check repository new.gpg
}

# suites: bookworm
# short: no
nothing_is_signed_without_a_usable_subkey_and_none_is_made() {
    local package primary
    package=$(small_package dish 1)
    new_keys keys >subkey
    primary=$(primary_of keys/online)
    publisher keys publish repository "$package"

    _not_published 'GNUPGHOME is not set' env -u GNUPGHOME "$repository" resign repository
    (umask 077 && mkdir -p empty/online public/online)
    _not_published 'there is no key in' publisher empty resign repository

    # The primary's secret belongs offline.
    cp -a keys/offline offline
    mkdir primary_too
    mv offline primary_too/online
    _not_published "the secret of the primary key $primary is in" publisher primary_too resign repository

    gpg_of keys/online --export | gpg_of public/online --import
    _not_published "$(<subkey): its secret is not here" publisher public resign repository

    # What it signs would die with it.
    _not_published "ends on" publisher keys --valid-for 101 resign repository

    cp -a keys mixed
    new_keys others >others_subkey
    gpg_of others/online --export | gpg_of mixed/online --import
    _not_published 'there are several keys in' publisher mixed resign repository
    publisher mixed --key "$primary" resign repository
    same "$primary" "$(_primaries_in repository/current/RepoKey.gpg)"

    revoke_subkey
    cp -a keys revoked
    gpg_of keys/offline --export | gpg_of revoked/online --import
    _not_published "$(<subkey) is revoked, expired or invalid" publisher revoked resign repository
    same 1 "$(gpg_of revoked/online --with-colons --list-keys | grep -c ^sub:)"
}

_primaries_in() {
    gpg --no-options --homedir "$PWD/keys/online" --batch --quiet --show-keys --with-colons "$1" |
        awk -F: '$1 == "fpr" && last == "pub" { print $10 } { last = $1 }' | paste -sd ' '
}

# suites: trixie
# short: no
each_architecture_has_its_own_packages_and_those_for_all() {
    local architecture debs=${EXC_DEBS:-$system_tree/build/deb}
    new_keys keys >subkey
    publisher keys publish repository "$(our_deb exc-instance-connect)" "$(our_deb exc-instance-connect-metadata)" \
        "$(our_deb exc-push)" "$(our_deb exc-compute-api)" "$(our_deb exc-host)" "$(our_deb exc)" "$debs"/arm64/*.deb \
        "$(small_package dish 1)"
    check_all
    for architecture in amd64 arm64; do
        awk '$1 == "Package:" { name = $2 } $1 == "Architecture:" { print name, $2 }' \
            "repository/current/dists/stable/main/binary-$architecture/Packages" | sort >packages
        same "dish all
exc $architecture
exc-compute-api $architecture
exc-host $architecture
exc-instance-connect $architecture
exc-instance-connect-metadata $architecture
exc-push $architecture" "$(<packages)"
    done
}

# suites: bookworm
# short: no
a_package_is_never_replaced_by_another_of_the_same_name() {
    local package
    package=$(small_package dish 1)
    new_keys keys >subkey
    publisher keys publish repository "$package"
    publisher keys publish repository "$package"
    _not_published 'another dish 1 for all is already there' \
        publisher keys publish repository "$(small_package new 1)" "$(small_package dish 1 other)"
    [[ ! -e repository/current/pool/main/n ]]
    echo no package >broken.deb
    _not_published 'broken.deb is not a whole Debian package' publisher keys publish repository broken.deb
    head -c -100 "$(small_package cut 1)" >cut.deb
    _not_published 'cut.deb is not a whole Debian package' publisher keys publish repository cut.deb
}

# suites: bookworm
# short: no
what_was_changed_behind_the_publishers_back_is_not_signed() {
    local served
    new_keys keys >subkey
    publisher keys publish repository "$(small_package dish 1)"
    served=$(readlink -f repository/current)
    cp -a "$served" good

    small_package dish 1 evil | xargs -I{} cp {} "$served/pool/main/d/dish/dish_1_all.deb"
    fails publisher keys publish repository "$(small_package dish 2)"
    fails publisher keys resign repository
    _as_it_was "$served"
    cp "$(small_package evil 1)" "$served/pool/main/d/dish/"
    fails publisher keys resign repository
    _as_it_was "$served"
    ln -sf /etc/shadow "$served/pool/main/d/dish/dish_2_all.deb"
    fails publisher keys resign repository
    _as_it_was "$served"
    sed -i 's/^Version: 1/Version: 9/' "$served"/dists/stable/main/binary-amd64/Packages
    fails publisher keys resign repository
    _as_it_was "$served"
    new_keys others >others_subkey
    sign_again others/online "$(<others_subkey)" "$served"
    fails publisher keys resign repository
    _as_it_was "$served"
    publisher keys resign repository
}

_as_it_was() {
    rm -r "$1"
    cp -a good "$1"
}

# suites: bookworm
# short: no
two_publishers_do_not_meet() {
    new_keys keys >subkey
    publisher keys publish repository "$(small_package dish 1)"
    (
        exec 8>repository/lock
        flock 8
        _not_published 'another one is publishing' publisher keys resign repository 8>&-
    )
    publisher keys resign repository
}

# suites: trixie
# short: no
an_interrupted_publication_leaves_the_repository_as_it_was() {
    local complete number package KILL_AT
    new_keys keys >subkey
    publisher keys publish repository "$(small_package dish 0)"
    # Kills the publisher, as a power cut would, before that command: its number, or the command itself.
    cat >kill_at <<'END'
set -T
count=0
trap 'if [[ $BASHPID == "$$" ]]; then
        count=$((count + 1)) command=${BASH_COMMAND%%$'\''\n'\''*}
        if [[ -z $KILL_AT ]]; then echo "$command" >>"$KILL_COMMANDS"; fi
        if [[ $KILL_AT == "$count" || $KILL_AT == "$command" ]]; then kill -KILL "$$"; fi
    fi' DEBUG
END
    package=$(small_package dish 1)
    export BASH_ENV=$PWD/kill_at KILL_COMMANDS=$PWD/commands KILL_AT=''
    publisher keys publish repository "$package"
    # Here and there, and at every step from when it is complete.
    complete=$(grep -nF 'mv -T' commands | head -n 1 | cut -d : -f 1)
    {
        printf '%s\n' $((complete / 3)) $((complete * 2 / 3))
        sed -n "$((complete - 1)),$((complete + 5))p" commands
    } >moments
    number=1
    while IFS= read -r KILL_AT; do
        number=$((number + 1))
        echo "killed before: $KILL_AT"
        package=$(BASH_ENV='' small_package dish "$number")
        fails publisher keys publish repository "$package"
        BASH_ENV='' check_all
        readlink repository/current >>states
    done <moments
    # Else none of them was in that moment.
    (($(sort -u states | wc -l) > 1))
    unset BASH_ENV
    publisher keys publish repository "$(small_package dish 100)"
    check_all
    same "current generations lock " "$(find repository -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | tr '\n' ' ')"
}

# suites: trixie
# short: no
index_files_stay_for_those_who_have_read_an_older_release() {
    local file number first
    new_keys keys >subkey
    for number in 1 2 3 4 5; do
        publisher keys publish repository "$(small_package dish "$number")"
        # The time by which web servers tell what is new.
        same "$(sed -n 's/^Date: //p' repository/current/dists/stable/Release | date -f - +%s).000000000" \
            "$(stat -c %.9Y repository/current/dists/stable/InRelease)"
        if ((number == 1)); then first=$(readlink -f repository/current) && cp -a "$first" first; fi
    done
    for file in first/dists/stable/main/binary-amd64/by-hash/*/*; do
        cmp "$file" "repository/current/${file#first/}"
    done
    # A day and more after they were superseded, all but the last of them go.
    check_all
    touch -d '-3 days' repository/generations/*/dists/stable/Release
    publisher keys resign repository
    [[ ! -e $first ]]
    same 4 "$(find repository/generations -mindepth 1 -maxdepth 1 | wc -l)"
    "$repository" --valid-for 29 check repository public.gpg
    fails_with 'is less than 31 days from now' "$repository" --valid-for 31 check repository public.gpg
    for file in first/dists/stable/main/binary-amd64/by-hash/*/*; do
        [[ ! -e repository/current/${file#first/} ]]
    done
    check_all
}
