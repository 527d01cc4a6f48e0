# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# short: no
# Images with the package in them, built as docs/images.md says, and machines that are cloned from one.

_page=$system_tree/docs/images.md

# _recipe, _section HEADING: prints the commands there.
_recipe() {
    _shell <(sed '/^<!-- recipe -->$/,/^<!-- end -->$/!d' "$_page")
}

_section() {
    _shell <(awk -v heading="## $1" '/^## / { inside = $0 == heading } inside' "$_page")
}

# _shell FILE: a page without commands would prove nothing.
_shell() {
    awk '/^```$/ { inside = 0 } inside; /^```sh$/ { inside = 1; found = 1 } END { exit !found }' "$1"
}

# _served COMMAND...: while a web server has the repository that was prepared, at $repository.
_served() {
    local server port=0 status=0
    # The port is in the image.
    if [[ -e $prepared/port ]]; then port=$(<"$prepared/port"); fi
    /usr/bin/python3 -u -m http.server --bind 127.0.0.1 --directory "$prepared/repository/current" "$port" \
        >server 2>&1 &
    server=$!
    wait_for grep -q ' port [0-9]* ' server
    sed -n 's/.* port \([0-9]*\) .*/\1/p' server >"$prepared/port"
    repository=http://127.0.0.1:$(<"$prepared/port") "$@" || status=$?
    kill "$server"
    return "$status"
}

# _build DIRECTORY [COMMAND...]: runs the recipe there, behind the commands, in $PWD, as one whose files are for nobody else.
# What the page sets first is $suite, where this machine has its own Debian from, and that web server.
_build() {
    local debian
    debian=$(tree_sources "$suite")
    mkdir "$1"
    { printf '%s\n' 'umask 077' "${@:2}" && _recipe; } >"$1/recipe"
    _served env -C "$1" suite="$suite" debian="$debian" SOURCE_DATE_EPOCH="$(<"$prepared/epoch")" \
        bash -eux recipe >log 2>&1 || {
        tail -n 40 log
        return 1
    }
}

# The repository, and an image.
_prepare() {
    local name debs=()
    for name in exc-instance-connect exc-push excloud-archive-keyring; do debs+=("$(our_deb "$name")"); done
    # Whose keys the keyring package has.
    GNUPGHOME=$system_tree/build/system/keys/online "$system_tree/packaging/apt/repository" publish repository "${debs[@]}"
    openssl genpkey -algorithm ED25519 -out cloud.pem
    openssl pkey -in cloud.pem -pubout -out anchor.pem
    date +%s >epoch
    prepared=$PWD _build plain
}

# _clone NAME DIRECTORY [OPTION...]: boots a copy of the image there, to which a first boot gives a user.
_clone() {
    machine_start "$1" "$2/image" "${@:3}"
    in_machine "$1" useradd --create-home --shell /bin/bash --password '*' alice
    install_debs "$1" "$(our_deb exc-push)"
    cp "$prepared/cloud.pem" .
}

_identity() {
    in_machine "$1" cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub
}

# _state DIRECTORY UNIT: enabled, disabled or what else.
_state() {
    systemctl --root="$1/image" is-enabled "$2" || true
}

two_clones_of_an_image_are_two_machines_and_a_push_is_for_one_of_them() {
    local n
    cp "$prepared/anchor.pem" cloud.pem
    bash -euc "$(_section 'The first boot')" >tmpfiles
    printf %s i-first >id
    # One gets id and anchor with credentials, the other as from cloud-init.
    _clone first "$prepared/plain" "--load-credential=exc.instance_id:$PWD/id" \
        "--load-credential=tmpfiles.extra:$PWD/tmpfiles"
    _clone second "$prepared/plain"
    says '^Instance: +none' in_machine second exc-instance-connect status
    trusts_cloud second i-second
    says '^Instance: +i-first' in_machine first exc-instance-connect status
    says '^Instance: +i-second' in_machine second exc-instance-connect status
    # A copy of a disk with its id, in a machine that has another one from its host.
    fails says '^Warning:' in_machine first exc-instance-connect status
    in_machine first sh -c 'echo i-copied >/etc/exc-instance-connect/instance-id'
    says '^Instance: +i-copied' in_machine first exc-instance-connect status
    says '^Warning: +the file instance-id says i-copied, which counts, and the credential .* says i-first;' \
        in_machine first exc-instance-connect status
    says 'instance id: the file instance-id says i-copied, which counts' \
        in_machine first journalctl -t exc-instance-connect-agent
    in_machine first rm /etc/exc-instance-connect/instance-id
    for n in 1 2; do fails same "$(_identity first | sed -n ${n}p)" "$(_identity second | sed -n ${n}p)"; done
    same 33 "$(in_machine first cat /etc/machine-id | wc -c)"

    new_key once
    instance=i-first guest_refuses WrongInstance push_signed second alice once
    instance=i-second guest_refuses WrongInstance push_signed first alice once
    refuses first alice once
    refuses second alice once
    instance=i-first push_signed first alice once
    refuses second alice once
    lets_in first alice once
    instance=i-second push_signed second alice once
    lets_in second alice once
    no_failed_unit first
    no_failed_unit second

    _identity first >before
    machine_reboot first
    same "$(<before)" "$(_identity first)"
    instance=i-first push_signed first alice once
    lets_in first alice once
}

without_an_anchor_nobody_can_push() {
    _clone m "$prepared/plain"
    echo i-0123 | in_machine m tee /etc/exc-instance-connect/instance-id >/dev/null
    new_key k
    guest_refuses Untrusted push_signed m alice k
    refuses m alice k
    fails_with 'failure +anchors ' in_machine m exc-instance-connect doctor
}

an_image_has_all_of_ours_and_nothing_of_a_machine() {
    local image=$prepared/plain/image name
    for name in / /etc /usr; do same 755 "$(stat -c %a "$image$name")"; done
    for name in exc-instance-connect exc-authorized-keys exc-instance-connect-relay; do
        grep "^$name:" "$image/etc/passwd"
        grep "^$name:" "$image/etc/group"
    done
    for name in exc-instance-connect.socket exc-instance-connect-host.socket; do
        same enabled "$(_state "$prepared/plain" "$name")"
    done
    (cd "${image%/*}" && bash -euxc "$(_section 'Checking an image')") >checked
    grep '^AuthorizedKeysCommand /usr/libexec/exc-instance-connect/exc-authorized-keys ' checked
    fails grep -v ^AuthorizedKeysCommand checked
    same '' "$(find "$image" -name machine-id -size +0 -o -path "$image/run/*exc*" -o -path '*/var/log/journal/*')"
    same '' "$(find "$image" -path '*/exc-instance-connect/*' -path "$image/etc/*" -type f)"
    for name in usr/share/exc-instance-connect etc/hostname etc/resolv.conf; do [[ ! -e $image/$name ]]; done
}

an_image_goes_on_with_the_repository_that_it_was_built_from() {
    local image=$prepared/plain/image
    same 'excloud-archive-keyring: /usr/share/keyrings/excloud-apt.gpg' \
        "$(chroot "$image" dpkg -S /usr/share/keyrings/excloud-apt.gpg)"
    # What apt writes is not for the image.
    mkdir upper work root
    # shellcheck disable=SC2016 # for that shell
    _served unshare --mount sh -euc 'mount -t overlay -o "lowerdir=$1,upperdir=upper,workdir=work" image root
        chroot root apt-get -q update --error-on=any -o Dir::Etc::SourceParts=- \
            -o Dir::Etc::SourceList=/etc/apt/sources.list.d/excloud.list
        chroot root apt-cache policy exc-instance-connect' - "$image" >said.txt
    grep -F "*** $(dpkg-deb -f "$(our_deb exc-instance-connect)" Version) 500" said.txt
}

# _files IMAGE: owners, modes and links of all that is in it.
_files() {
    (cd "$1" && find . -path ./dev -prune -o -printf '%M %U:%G %p %l\n' | LC_ALL=C sort)
}

an_image_differs_from_another_in_nothing_but_what_it_was_told() {
    local image=$prepared/plain/image told=$PWD/told/image boot
    cp "$prepared/anchor.pem" .
    # An anchor, and a preset against the host's socket.
    _build told 'cp ../anchor.pem cloud.pem' "$(_section Anchors)" "$(_section 'What is enabled')"
    diff -rq --no-dereference --exclude=dev "$image" "$told" >differ || true
    same "Only in $told/etc/exc-instance-connect/trust.d: cloud.pem
Only in $image/etc/systemd/system/sockets.target.wants: exc-instance-connect-host.socket
Only in $told/etc/systemd: system-preset" "$(<differ)"
    diff <(_files "$image" | grep -v ' ./etc/systemd/system/sockets.target.wants/exc-instance-connect-host.socket ') \
        <(_files "$told" |
            grep -v -e ' ./etc/exc-instance-connect/trust.d/cloud.pem ' -e ' ./etc/systemd/system-preset')

    same enabled "$(_state told exc-instance-connect.socket)"
    same disabled "$(_state told exc-instance-connect-host.socket)"
    _clone m "$PWD/told"
    for boot in ordinary first; do
        same disabled "$(property m exc-instance-connect-host.socket UnitFileState)"
        same inactive "$(property m exc-instance-connect-host.socket ActiveState)"
        same active "$(property m exc-instance-connect.socket ActiveState)"
        says '^Anchors: +1' in_machine m exc-instance-connect status
        new_key k
        push m alice k
        lets_in m alice k
        [[ $boot == ordinary ]] || continue
        machine_stop m
        # Now systemd applies all presets.
        echo uninitialized >"$(machine_root m)/etc/machine-id"
        # systemd-firstboot would ask somebody at a console.
        machine_states='running|degraded' machine_boot m
    done
    same yes "$(property m systemd-firstboot.service ConditionResult)"
}
