# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Programs that Debian 12 does not have. . tests/lib/debian13.sh, after shell.sh; it needs EXC_BUILD.

# debian13_tree PACKAGE FILE: prints the root of a Debian 13 with the package, whose FILE is below it: this system, or one that
# is unpacked once, in build/trees. Its programs run here on its own libraries, by its own loader.
debian13_tree() {
    local tree mirror id version
    read -r id version < <(. /etc/os-release && echo "${ID:-} ${VERSION_ID:-}")
    if [[ "$id $version" == "debian 13" && -e $2 ]]; then
        echo /
        return
    fi
    need mmdebstrap apt-get
    mkdir -p "$EXC_BUILD/../trees"
    tree=$(cd "$EXC_BUILD/../trees" && pwd -P)/$1
    # shellcheck disable=SC2016 # for apt-get
    for mirror in $(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sort -u); do
        [[ ! -e $tree$2 ]] || break
        rm -rf "$tree.new"
        mmdebstrap --mode=root --variant=extract --include="$1" trixie "$tree.new" "$mirror" >&2 || continue
        mv "$tree.new" "$tree"
    done
    [[ -e $tree$2 ]] || die "$1: no package mirror of this machine has that of Debian 13"
    echo "$tree"
}
