# shellcheck shell=bash disable=SC2154,SC2016
# SPDX-License-Identifier: Apache-2.0
# short: no
# Programs that people log in with, run for real in a booted machine, and how many connections each opens. Where the push is
# for fewer, the next connection is refused and log says why; where it is for so many or for any number, all of it works.
# scp after ssh is in log_test.sh.

# The clients log in as alice at 127.0.0.1.
_prepare() {
    local number
    machine_start m "$suite+ansible-core+git+lftp+putty-tools+python3-asyncssh+python3-paramiko+rclone+rsync"
    install_debs m
    keys_last m
    trusts_cloud m
    in_machine m sh -euc 'install -d -m 0700 /root/.ssh
        for host in 127.0.0.1 localhost; do
            for key in /etc/ssh/ssh_host_*_key.pub; do echo "$host $(cat "$key")"; done
        done >/root/.ssh/known_hosts'
    in_machine m mkdir /srv/eight
    for number in {1..8}; do head -c 100000 /dev/urandom | in_machine m tee "/srv/eight/$number" >/dev/null; done
    in_machine m tee /srv/play.yml >/dev/null <<'END'
- hosts: all
  gather_facts: false
  tasks:
    - copy: {src: /srv/eight/1, dest: ansible, mode: "0600"}
    - command: cmp ansible /srv/eight/1
END
}

# _client_key KEY: makes one, which the clients find as /root/KEY.
_client_key() {
    new_key "$1"
    in_machine m install -m 0600 /dev/stdin "/root/$1" <"$1"
    in_machine m install -m 0644 /dev/stdin "/root/$1.pub" <"$1.pub"
}

# _pushed KEY [USER [OPTION...]]: a new one, for one connection if OPTION does not say more.
_pushed() {
    _client_key "$1"
    push m "${2:-alice}" "$1" --ttl 3600 "${@:3}"
}

# _run KEY SCRIPT: with the key's name as $1. There is no terminal, so nothing can ask.
_run() {
    in_machine m timeout 300 setsid --wait sh -euc "cd /root; $2" sh "$1" </dev/null
}

# _stories KEY OUTCOME: prints log's lines about the key that have this outcome.
_stories() {
    in_machine m exc-instance-connect log | grep -E "^.{21}$2 .*, key $(fingerprint "$1.pub" | sed 's/+/\\+/g')[:,]" || true
}

# _lines KEY OUTCOME CONDITION: on the number of those lines. The journal takes its time.
_lines() {
    wait_for eval "(( \$(_stories $1 $2 | wc -l) $3 ))" || {
        in_machine m exc-instance-connect log
        return 1
    }
}

# _used_up KEY N: N connections were let in with it, and the others were refused because there was no slot for them.
_used_up() {
    local reason=': other connections hold all slots of the key; for a client that opens several, push with --connections N, or 0$'
    _lines "$1" accepted "== $2"
    _lines "$1" refused '> 0'
    same '' "$(_stories "$1" refused | grep -v -- "$reason" || true)"
}

# _let_in KEY CONDITION: so many were let in with it, and none was refused.
_let_in() {
    _lines "$1" accepted "$2"
    same '' "$(_stories "$1" refused)"
}

# _needs_one PATTERN CLIENT: it works whole with one connection; the next time it fails, and a line of its output matches.
_needs_one() {
    _pushed one
    "$2" one
    _let_in one '== 1'
    fails_with "$1" "$2" one
    _used_up one 1
}

# _needs N PATTERN CLIENT: it fails where the push is for one connection, and works whole where it is for N. N 0 is any number.
_needs() {
    _pushed one
    fails_with "$2" "$3" one
    _used_up one 1
    _pushed more alice --connections "$1"
    "$3" more
    if (($1 == 0)); then _let_in more '> 1'; else _let_in more "== $1"; fi
}

# --- one connection --------------------------------------------------------------------------------------------------

_rsync() {
    _run "$1" 'rsync -a -e "ssh -o IdentitiesOnly=yes -i /root/$1" /srv/eight/ alice@127.0.0.1:rsync/
        diff -r /srv/eight /home/alice/rsync'
}

rsync_needs_one_connection() {
    _needs_one 'Permission denied' _rsync
}

_asyncssh() {
    in_machine m timeout 300 python3 - "/root/$1" <<'END'
import asyncio, sys, asyncssh

async def main():
    async with asyncssh.connect("127.0.0.1", username="alice", client_keys=[sys.argv[1]], agent_path=None) as connection:
        runs = await asyncio.gather(*[connection.run(f"echo {i}", check=True) for i in range(3)])
        assert [run.stdout for run in runs] == ["0\n", "1\n", "2\n"], runs
        async with connection.start_sftp_client() as sftp:
            await sftp.put("/srv/eight/1", "asyncssh")

asyncio.run(main())
END
}

asyncssh_needs_one_connection() {
    _needs_one 'asyncssh.*PermissionDenied' _asyncssh
}

_plink() {
    _run "$1" 'plink -batch -hostkey "$(ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub | cut -d " " -f 2)" \
        -i "$1.ppk" alice@127.0.0.1 id -un'
}

plink_needs_one_connection() {
    in_machine m puttygen -q -t ed25519 --new-passphrase /dev/null -C '' -o /root/one.ppk
    # What PuTTYgen's window shows for authorized_keys.
    in_machine m puttygen -L /root/one.ppk >one.pub
    push m alice one --ttl 3600
    same alice "$(_plink one)"
    _let_in one '== 1'
    fails_with 'Server refused our key' _plink one
    _used_up one 1
}

a_key_that_puttygen_converts_works_with_plink() {
    _pushed one
    in_machine m puttygen -q /root/one -o /root/one.ppk
    same alice "$(_plink one)"
    _let_in one '== 1'
}

_pscp() {
    _run "$1" 'pscp -q -batch -hostkey "$(ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub | cut -d " " -f 2)" \
        -i "$1.ppk" /srv/eight/1 /srv/eight/2 alice@127.0.0.1:
        cmp /srv/eight/2 /home/alice/2'
}

pscp_needs_one_connection() {
    _pushed one
    in_machine m puttygen -q /root/one -o /root/one.ppk
    _pscp one
    _let_in one '== 1'
    fails_with 'Server refused our key' _pscp one
    _used_up one 1
}

_curl() {
    _run "$1" 'curl -sS --key "/root/$1" --pubkey "/root/$1.pub" -u alice: \
        -o curled "sftp://127.0.0.1/srv/eight/1" -o curled2 "sftp://127.0.0.1/srv/eight/2"
        cmp curled /srv/eight/1
        cmp curled2 /srv/eight/2'
}

curl_needs_one_connection() {
    _needs_one 'curl: \(67\)' _curl
}

# _ansible KEY OPTION...: with the options of ssh in $ssh_args, else ansible's own.
_ansible() {
    in_machine m timeout 300 env ANSIBLE_NOCOLOR=1 "ANSIBLE_SSH_CONTROL_PATH_DIR=/root/control-$1" \
        ${ssh_args:+"ANSIBLE_SSH_ARGS=$ssh_args"} ansible-playbook -i 127.0.0.1, -u alice --private-key "/root/$1" \
        -e ansible_python_interpreter=/usr/bin/python3 "${@:2}" /srv/play.yml </dev/null
}

# As long as the connection lasts, which ansible shares by itself, it goes on.
ansible_needs_one_connection() {
    _pushed one
    says 'ok=2 .*unreachable=0 +failed=0' _ansible one
    says 'ok=2 .*unreachable=0 +failed=0' _ansible one
    _let_in one '== 1'
    _run one 'ssh -o ControlPath="$(echo control-"$1"/*)" -O exit 127.0.0.1'
    fails_with 'UNREACHABLE.*Permission denied' _ansible one
    _used_up one 1
}

# --- several ---------------------------------------------------------------------------------------------------------

_ansible_unshared() {
    ssh_args='-o ControlMaster=no' _ansible "$1"
}

ansible_needs_several_where_it_does_not_share_one() {
    _needs 0 'UNREACHABLE.*Permission denied' _ansible_unshared
}

_ansible_paramiko() {
    _ansible "$1" -c paramiko
}

ansible_needs_several_with_paramiko() {
    _needs 0 'UNREACHABLE.*Authentication failed' _ansible_paramiko
}

# _ansible_with_a_key_of_its_own OPTION...: as the manual of exc-push has it.
_ansible_with_a_key_of_its_own() {
    signed m push --user alice --generate --known-hosts vm42 --ttl 300 "$@" -- \
        env HOME=/run/ansible ANSIBLE_NOCOLOR=1 ANSIBLE_SSH_ARGS='-o ControlMaster=no' \
        sh -c 'exec ansible-playbook -i 127.0.0.1, -u alice -e ansible_python_interpreter=/usr/bin/python3 /srv/play.yml \
            --ssh-common-args="-o HostKeyAlias=vm42 -o UserKnownHostsFile=$EXC_KNOWN_HOSTS"' </dev/null
}

ansible_works_with_a_key_that_is_made_for_it() {
    cp "$prepared/cloud.pem" .
    in_machine m install -d -o exc-instance-connect-relay /run/ansible
    fails_with '^exc-push: env: failed, and used the agent [0-9]+ times for a key that was pushed for 1 connection; if it opens several, push with --connections N, or 0$' \
        _ansible_with_a_key_of_its_own
    says 'ok=2 .*unreachable=0 +failed=0' _ansible_with_a_key_of_its_own --connections 0
}

_git() {
    _run "$1" 'export GIT_SSH_COMMAND="ssh -o IdentitiesOnly=yes -i /root/$1"
        rm -rf clone
        git clone -q alice@127.0.0.1:repository clone
        git -C clone -c user.name=a -c user.email=a@example commit -q --allow-empty -m "$1"
        git -C clone push -q origin "HEAD:refs/heads/$1"'
}

git_clone_and_push_need_two() {
    in_machine m runuser -u alice -- git init -q --bare /home/alice/repository
    _needs 2 'Permission denied' _git
    same more "$(in_machine m runuser -u alice -- git -C /home/alice/repository branch --format '%(refname:short)')"
}

# Without repetitions: with them a run takes minutes, and may or may not copy all.
_rclone() {
    _run "$1" 'rclone copy --retries 1 --low-level-retries 1 --sftp-host 127.0.0.1 --sftp-user alice --sftp-key-file "/root/$1" \
        --sftp-known-hosts-file /root/.ssh/known_hosts /srv/eight ":sftp:rclone-$1"
        diff -r /srv/eight "/home/alice/rclone-$1"'
}

rclone_needs_several_to_copy_all_files() {
    _needs 0 'unable to authenticate' _rclone
    # Some files were copied before too.
    (($(in_machine m ls /home/alice/rclone-one | wc -l) < 8))
}

_lftp() {
    _run "$1" 'lftp -c "set cmd:fail-exit yes; set net:max-retries 1
        set sftp:connect-program \"ssh -a -x -o IdentitiesOnly=yes -i /root/$1\"
        open sftp://alice:none@127.0.0.1; mirror -R -P 3 /srv/eight lftp-$1"
        diff -r /srv/eight "/home/alice/lftp-$1"'
}

lftp_needs_several_to_mirror_in_parallel() {
    _needs 0 'Login failed|Login incorrect' _lftp
}

_scp_3() {
    _run "$1" 'scp -3 -o IdentitiesOnly=yes -i "$1" alice@127.0.0.1:from alice@127.0.0.1:to
        cmp /home/alice/from /home/alice/to'
}

scp_from_remote_to_remote_needs_two() {
    in_machine m runuser -u alice -- cp /srv/eight/1 /home/alice/from
    _needs 2 'Permission denied' _scp_3
}

# Each account has a push of its own.
scp_from_user_to_user_needs_one_each() {
    in_machine m runuser -u alice -- cp /srv/eight/1 /home/alice/from
    _pushed one
    push m bob one --ttl 3600
    _run one 'scp -3 -o IdentitiesOnly=yes -i "$1" alice@127.0.0.1:from bob@127.0.0.1:to
        cmp /home/alice/from /home/bob/to'
    _let_in one '== 2'
}

# What -i gives is not for the jump host.
_jump() {
    _run "$1" 'printf "%s\n" "IdentityFile /root/$1" "IdentitiesOnly yes" >config
        ssh -F config -J alice@localhost alice@127.0.0.1 id -un'
}

ssh_through_the_same_machine_needs_two() {
    _needs 2 'Permission denied' _jump
}

# As VS Code on Windows does, whose ssh cannot share a connection.
_three_ssh() {
    _run "$1" 'for command in "uname -s" "id -un" "cat"; do
            ssh -o IdentitiesOnly=yes -i "$1" alice@127.0.0.1 "$command" </dev/null
        done'
}

three_ssh_in_a_row_need_three() {
    _needs 3 'Permission denied' _three_ssh
}

# _closed_ssh COMMAND...: with a key of exc-push's, by a person whose ~/.ssh/config keeps ssh from other agents.
_closed_ssh() {
    signed m push --user alice --generate --known-hosts vm42 --ttl 300 -- "$@" </dev/null
}

generate_works_through_a_config_that_closes_ssh_to_agents() {
    local home
    cp "$prepared/cloud.pem" .
    # ssh reads the file in the account's home, whatever HOME is.
    home=$(in_machine m getent passwd exc-instance-connect-relay | cut -d : -f 6)
    in_machine m usermod --home /run/person exc-instance-connect-relay
    in_machine m install -d -m 0700 -o exc-instance-connect-relay /run/person /run/person/.ssh
    printf '%s\n' 'Host *' 'IdentitiesOnly yes' 'IdentityAgent none' 'StrictHostKeyChecking yes' |
        in_machine m install -m 0600 -o exc-instance-connect-relay /dev/stdin /run/person/.ssh/config
    in_machine m install -m 0600 -o exc-instance-connect-relay /root/.ssh/known_hosts /run/person/.ssh/known_hosts
    same alice "$(_closed_ssh ssh alice@127.0.0.1 id -un)"
    same alice "$(_closed_ssh sh -c 'exec ssh $EXC_SSH_OPTIONS alice@127.0.0.1 id -un')"
    # The file is read: without those options there is no key.
    fails_with '^exc-push: sh: failed without the pushed key' _closed_ssh sh -c 'exec ssh alice@127.0.0.1 id -un'
    in_machine m usermod --home "$home" exc-instance-connect-relay
}

# --- an agent with many keys -----------------------------------------------------------------------------------------

# _with_agent KEY COMMAND: run while an agent has seven other keys.
_with_agent() {
    _run "$1" "$(printf 'command=%q' "$2")"'
        eval "$(ssh-agent)" >/dev/null
        trap "ssh-agent -k >/dev/null" EXIT
        for number in 1 2 3 4 5 6 7; do
            [ -e "other$number" ] || ssh-keygen -q -t ed25519 -N "" -f "other$number"
            ssh-add -q "other$number"
        done
        sh -c "$command"'
}

the_printed_line_works_beside_an_agent_with_seven_keys() {
    local line
    _client_key one
    line=$(in_machine m exc-instance-connect push --user alice --key /root/one.pub --ttl 3600 | sed -n 's/^Connect with: *//p')
    fails_with 'Too many authentication failures' _with_agent one 'ssh -i /root/one alice@127.0.0.1 id -un'
    same alice "$(_with_agent one "${line/HOST/127.0.0.1} id -un")"
    _let_in one '== 1'
    wait_for eval "in_machine m exc-instance-connect log | grep -q 'refused .*tried too often'"
}
