# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# short: by turns
# The packages that are in build/deb and build/deb/arm64: what is in them, and how they come and go.

sockets=(exc-instance-connect.socket exc-instance-connect-host.socket)

_figures() {
    "$system_tree/packaging/figures" "$@" | sed 's/^/# /'
}

# suites: bookworm
# short: no
lintian_finds_no_fault() {
    _figures lintian
}

# suites: bookworm
nothing_is_needed_that_ubuntu_22_04_lacks() {
    _figures needs
}

# suites: bookworm
every_program_is_hardened_and_of_its_architecture() {
    _figures hardening
}

# suites: bookworm
# short: no
files_are_roots_and_the_helper_cannot_be_read() {
    [[ -d $system_tree/build/deb/arm64 ]] || die 'no packages for arm64: ./dev deb arm64'
    _figures files
}

# suites: bookworm
# short: no
a_second_build_makes_the_same_bits() {
    _figures reproducible
}

# In a chroot where no systemd runs, too: that is how piuparts installs.
# short: no
piuparts_finds_nothing_left_behind() {
    local debs
    need piuparts
    debs=("$(our_deb exc-instance-connect)" "$(our_deb exc-instance-connect-metadata)" "$(our_deb exc-push)"
        "$(our_deb exc-compute-api)" "$(our_deb exc-host)" "$(our_deb exc)")
    compgen -G "$(dirname "${debs[0]}")/excloud-archive-keyring_*.deb" >/dev/null &&
        debs+=("$(our_deb excloud-archive-keyring)")
    piuparts --existing-chroot="$(tree "$suite")" --distribution="$suite" --keep-sources-list --no-eatmydata \
        --tmpdir="$PWD" "${debs[@]}"
}

# suites: bookworm
a_file_that_git_does_not_track_is_named_by_the_build() {
    need git
    mkdir -p source/{packaging/debian,build,agent}
    cp "$system_tree/packaging/debian/changelog" source/packaging/debian/
    cp "$system_tree"/{configure.ac,.gitignore} source/
    touch source/agent/old.c
    git -C source init -q
    git -C source add -A
    touch source/agent/new.c source/agent/new.o source/build/new.c
    # Nothing is built where there is no build/vendor.
    fails_with 'build/vendor: there is none' "$system_tree/packaging/build-deb" --from "$PWD/source"
    "$system_tree/packaging/build-deb" --from "$PWD/source" >found 2>&1 || true
    same '    agent/new.c' "$(sed -n '/^build-deb: git does not track these files/,/^[^ ]*$/{/^ /p}' found)"
}

_enabled() {
    local socket
    for socket in "${sockets[@]}"; do in_machine m systemctl is-enabled "$socket" || true; done | sort -u
}

_active() {
    local socket
    for socket in "${sockets[@]}"; do in_machine m systemctl is-active "$socket" || true; done | sort -u
}

_sshd_asks() {
    in_machine m sh -c 'sshd -T -C user=alice | grep -q "^authorizedkeyscommand .*/exc-authorized-keys"'
}

_removed_and_installed_again() {
    in_machine m apt-get -qq remove -y exc-instance-connect
    same '' "$(in_machine m find /etc/systemd/system -name '*exc-instance-connect*' -not -type d)"
    install_debs m >install.txt 2>&1 || { cat install.txt && return 1; }
}

# short: no
what_is_on_or_off_is_so_again_after_it_was_removed() {
    machine_start m "$suite"
    install_debs m
    same enabled "$(_enabled)"
    same active "$(_active)"
    _sshd_asks
    _removed_and_installed_again
    same enabled "$(_enabled)"
    same active "$(_active)"
    _sshd_asks
    in_machine m exc-instance-connect disable
    in_machine m systemctl disable --now "${sockets[@]}"
    _removed_and_installed_again
    same disabled "$(_enabled)"
    same inactive "$(_active)"
    fails _sshd_asks
    grep -F 'exc-instance-connect.socket was disabled, and stays so; sshd is left as it is.' install.txt
    # Purged, it forgets.
    in_machine m apt-get -qq purge -y exc-instance-connect
    install_debs m
    same enabled "$(_enabled)"
    same active "$(_active)"
    _sshd_asks
    no_failed_unit m
}

# Each for itself: sshd's part goes with the administrator's socket.
# short: no
one_socket_that_is_off_is_off_again_after_it_was_removed() {
    local off on
    machine_start m "$suite"
    install_debs m
    for off in "${sockets[@]}"; do
        for on in "${sockets[@]}"; do [[ $on == "$off" ]] || break; done
        in_machine m systemctl enable --now "$on"
        in_machine m exc-instance-connect enable
        in_machine m systemctl disable --now "$off"
        _removed_and_installed_again
        says '^enabled$' in_machine m systemctl is-enabled "$on"
        same active "$(property m "$on" ActiveState)"
        fails_with '^disabled$' in_machine m systemctl is-enabled "$off"
        same inactive "$(property m "$off" ActiveState)"
        if [[ $on == exc-instance-connect.socket ]]; then
            _sshd_asks
            grep -F 'To undo it: exc-instance-connect disable' install.txt
        else
            fails _sshd_asks
            grep -F 'exc-instance-connect.socket was disabled, and stays so; sshd is left as it is.' install.txt
        fi
    done
    no_failed_unit m
}

# An administrator who took sshd's part back alone is told of it by each upgrade.
# short: no
sshd_is_left_alone_by_an_upgrade_that_says_so() {
    machine_start m "$suite"
    install_debs m
    in_machine m exc-instance-connect disable
    install_debs m >install.txt 2>&1
    fails _sshd_asks
    grep -F 'sshd is left as it is, without a file of ours. To have it ask for keys: exc-instance-connect enable' install.txt
    in_machine m exc-instance-connect enable
    install_debs m >install.txt 2>&1
    _sshd_asks
    fails grep -F 'sshd is left as it is' install.txt
}

# _options COMMAND...: those that its help tells of, each on a line of its own.
_options() {
    in_machine m "$@" --help | sed -nE '/^  (-h, --help|--version)/d; s/^  (-[a-z], )?(--[a-z][a-z-]*).*/\2/p' | sort -u
}

# _completed WORD...: the options that bash offers behind these words.
_completed() {
    # shellcheck disable=SC2016 # for the machine's shell
    in_machine m bash -c '. "/usr/share/bash-completion/completions/$1.bash"
        COMP_WORDS=("$@" --) COMP_CWORD=$#
        function_of=$(complete -p "$1")
        function_of=${function_of##*-F }
        "${function_of%% *}" && printf "%s\n" "${COMPREPLY[@]}"' bash "$@" | sed -n '/^--help$/d; /^--[a-z]/p' | sort -u
}

# suites: bookworm
# short: no
completion_offers_what_the_commands_take() {
    local program command commands
    need zsh
    machine_start m "$suite"
    install_debs m
    for program in exc-instance-connect exc-push; do
        # With a subcommand: "trust add".
        mapfile -t commands < <(in_machine m "$program" --help |
            sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\( [a-z][a-z-]*\)*\) .*/\1/p')
        ((${#commands[@]} > 0))
        for command in "${commands[@]}"; do
            # shellcheck disable=SC2086 # the words
            same "$(_options "$program" $command)" "$(_completed "$program" $command)"
            grep -qE "^ +'?${command% *}[:)| ]" "$system_tree/completion/_$program"
        done
        # zsh knows no other options than these programs, and none less.
        zsh -n "$system_tree/completion/_$program"
        grep -oE -- "--[a-z][a-z-]+" "$system_tree/completion/_$program" | sort -u >zsh.txt
        # shellcheck disable=SC2086 # the words
        for command in "${commands[@]}"; do _options "$program" $command; done | sort -u >all.txt
        same '' "$(comm -23 zsh.txt <(sort -u all.txt <(printf '%s\n' --help --json --socket --version)))"
        same '' "$(comm -13 zsh.txt all.txt)"
    done
}
