# SPDX-License-Identifier: Apache-2.0
"""exc-instance-connect trust and instance-id: what they write, and what the agent then believes."""

import base64
import json
import os
import re
import stat
import subprocess

import agent
from agent import INSTANCE, WORLD, Agent, Signer, key, keys, refusal
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

DIRECTORY = "/etc/exc-instance-connect/trust.d"
VENDOR = "/usr/share/exc-instance-connect/trust.d"
LONG = 300  # seconds

# The neutral point: anybody can sign for it.
LOW_ORDER = (b"-----BEGIN PUBLIC KEY-----\n" +
             base64.b64encode(bytes.fromhex("302a300506032b6570032100") + b"\1" + bytes(31)) +
             b"\n-----END PUBLIC KEY-----\n")

# Mounts the agent's configuration where the command looks for it, in an /etc and a /usr/share with little else.
RUN = r"""
root=$1 config=$2
shift 2
mkdir -p "$root"/{etc,share}/exc-instance-connect "$root/share/exc-instance-connect/trust.d"
cp /etc/passwd /etc/group /etc/nsswitch.conf "$root/etc/"
mount --bind "$root/etc" /etc
mount --bind "$config" /etc/exc-instance-connect
mount --bind "$root/share" /usr/share
umask 077
exec "$@"
"""


def _guest(**environment):
    a = Agent(preload=agent.CLOCK, TEST_CLOCK="synchronised", **environment)
    (a.config.parent / "instance-id").write_text(INSTANCE + "\n")
    return a


def _run(a, *words, stdin=b"", as_user=(), **environment):
    return subprocess.run(
        ["unshare", "--mount", "bash", "-ec", RUN, "run", a.dir / "root", a.config.parent, *as_user,
         WORLD / "bin/exc-instance-connect", *words], input=stdin, capture_output=True, check=False,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C", **environment}, cwd=a.dir, timeout=agent.WAIT_S)


def _does(a, *words, **more):
    """What it prints, on both channels."""
    result = _run(a, *words, **more)
    assert result.returncode == 0, result
    return (result.stdout + result.stderr).decode()


def _fails(status, a, *words, says, **more):
    result = _run(a, *words, **more)
    assert (result.returncode, result.stdout) == (status, b""), result
    for text in [says] if isinstance(says, str) else says:
        assert text in result.stderr.decode(), (text, result.stderr)


def _file(a, content, name="cloud.pem"):
    (a.dir / name).write_bytes(content)
    return name


def _trusted(a, name="cloud.pem"):
    return a.config.parent / "trust.d" / name


def _vendors(a, name="cloud.pem"):
    path = a.dir / "root/share/exc-instance-connect/trust.d" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _listed(a):
    return json.loads(_does(a, "trust", "list", "--json"))


def _is_safe(path, mode):
    st = os.lstat(path)
    assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (0, 0, mode), (path, st)


def _pem(public):
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _fingerprint(signer):
    digest = hashes.Hash(hashes.SHA256())
    digest.update(signer.key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()


def added_key_is_trusted_until_it_is_removed():
    a, signer = _guest(), Signer()
    assert refusal(a.send, "Push", signer.push(keys(1))).error == "Untrusted"
    said = _does(a, "trust", "add", _file(a, signer.anchor()))
    assert _fingerprint(signer) in said and f"{DIRECTORY}/cloud.pem" in said, said
    _is_safe(_trusted(a).parent, 0o755)
    _is_safe(_trusted(a), 0o644)
    a.send("Push", signer.push(keys(1), ttl=LONG))
    assert _listed(a) == {"keys": [{"name": "cloud", "type": "Ed25519", "fingerprint": _fingerprint(signer),
                                    "file": f"{DIRECTORY}/cloud.pem"}], "notTrusted": []}
    said = _does(a, "trust", "remove", "cloud")
    assert "Removed:" in said and "exc-instance-connect revoke --all" in said, said
    assert refusal(a.send, "Push", signer.push(keys(1))).error == "Untrusted"
    assert os.listdir(_trusted(a).parent) == [] and len(a.listed()) == 1
    assert "No key is trusted." in _does(a, "trust", "list")


def p_256_key_is_added_from_standard_input():
    a, private = _guest(), ec.generate_private_key(ec.SECP256R1())
    _fails(2, a, "trust", "add", "-", says="--name")
    _does(a, "trust", "add", "-", "--name", "hsm.pem", stdin=_pem(private.public_key()))
    assert [(one["name"], one["type"]) for one in _listed(a)["keys"]] == [("hsm", "ECDSA P-256")]
    assert "hsm" in _does(a, "trust", "list")
    _does(a, "trust", "remove", "hsm.pem")


def name_is_checked():
    a, signer = _guest(), Signer()
    for name in "a b.pem", ".pem", ".cloud.pem", "a" * 65, "\x1b[2J":
        _fails(2, a, "trust", "add", _file(a, signer.anchor(), name), says=["not the name of a key", "--name"])
    for name in "a/b", "..", "", "a\n":
        assert _run(a, "trust", "add", _file(a, signer.anchor()), "--name", name).returncode == 2
    for name in "a/b", ".a", "":
        _fails(2, a, "trust", "remove", name, says="not the name of a key")
    assert not _trusted(a).parent.exists()
    _does(a, "trust", "add", _file(a, signer.anchor(), "a b"), "--name", "A_b-1.x")
    _is_safe(_trusted(a, "A_b-1.x.pem"), 0o644)


def what_the_agent_would_not_trust_is_not_written():
    a, signer = _guest(), Signer()
    refused = {
        signer.private(): ["private key", "openssl pkey -in FILE -pubout"],
        signer.anchor() + signer.private(): "private key",
        signer.private() + signer.anchor(): "private key",
        signer.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH,
                                 serialization.NoEncryption()): "private key",
        key().encode() + b"\n": ["OpenSSH", "PEM"],
        signer.anchor() + Signer().anchor(): "more than one key",
        signer.anchor() + b"text\n": "text after the key",
        LOW_ORDER: "low order",
        _pem(ec.generate_private_key(ec.SECP384R1()).public_key()): "Ed25519 or ECDSA P-256",
        _pem(rsa.generate_private_key(65537, 2048).public_key()): "Ed25519 or ECDSA P-256",
        b"nonsense\n": "BEGIN PUBLIC KEY",
        b"": "empty",
        signer.anchor() + b"\n" * 8192: "longer than any public key",
    }
    for content, says in refused.items():
        _fails(1, a, "trust", "add", _file(a, content), says=[*([says] if isinstance(says, str) else says), "cloud.pem: "])
    _fails(1, a, "trust", "add", "-", "--name", "x", stdin=signer.private(), says="standard input: it holds a private key")
    _fails(1, a, "trust", "add", "nowhere.pem", says="nowhere.pem: cannot read it: No such file or directory")
    _fails(1, a, "trust", "add", ".", "--name", "x", says="Is a directory")
    assert not _trusted(a).parent.exists()


def only_the_key_is_written():
    a, signer = _guest(), Signer()
    _does(a, "trust", "add", _file(a, b"# a comment, and a password: x\n" + signer.anchor() + b" \n\n"))
    assert _trusted(a).read_bytes() == signer.anchor()


def key_that_is_there_is_not_replaced():
    a, signer, other = _guest(), Signer(), Signer()
    _does(a, "trust", "add", _file(a, signer.anchor()))
    before = os.stat(_trusted(a)).st_ino
    assert "Already trusted:" in _does(a, "trust", "add", _file(a, signer.anchor()))
    _fails(1, a, "trust", "add", _file(a, other.anchor()), says=["another key", "trust remove cloud.pem"])
    assert os.stat(_trusted(a)).st_ino == before
    _trusted(a, "broken.pem").write_text("nonsense")
    _trusted(a, "link.pem").symlink_to("/nowhere")
    for name in "broken", "link":
        _fails(1, a, "trust", "add", _file(a, other.anchor()), "--name", name,
               says=["not trusted: ", f"trust remove {name}.pem"])
        _does(a, "trust", "remove", name)
    _does(a, "trust", "add", _file(a, other.anchor()), "--name", "broken")


def directory_that_others_can_change_is_refused():
    a, signer = _guest(), Signer()
    _does(a, "trust", "add", _file(a, signer.anchor()))
    directory = _trusted(a).parent
    for unsafe in directory, directory.parent:
        unsafe.chmod(0o775)
        _fails(1, a, "trust", "add", _file(a, signer.anchor()), "--name", "x", says=["writable by others", "chmod 0755"])
        _fails(1, a, "trust", "remove", "cloud", says="writable by others")
        unsafe.chmod(0o755)
    directory.rename(a.dir / "elsewhere")
    directory.symlink_to(a.dir / "elsewhere")
    _fails(1, a, "trust", "add", _file(a, signer.anchor()), "--name", "x", says="a symbolic link")
    assert os.listdir(a.dir / "elsewhere") == ["cloud.pem"]


def directory_that_the_agent_cannot_read_is_reported():
    a, signer = _guest(), Signer()
    _does(a, "trust", "add", _file(a, signer.anchor()))
    _trusted(a).parent.chmod(0o700)
    assert f"chmod 0755 {DIRECTORY}" in _does(a, "trust", "add", _file(a, Signer().anchor(), "second.pem"))
    assert _listed(a)["keys"] == [] and _listed(a)["notTrusted"][0]["file"] == DIRECTORY


def vendors_key_is_masked():
    a, signer = _guest(), Signer()
    _vendors(a).write_bytes(signer.anchor())
    assert [one["file"] for one in _listed(a)["keys"]] == [f"{VENDOR}/cloud.pem"]
    said = _does(a, "trust", "remove", "cloud")
    assert "Masked:" in said and "Removed:" not in said, said
    _is_safe(_trusted(a), 0o644)
    assert _trusted(a).read_bytes() == b"" and _vendors(a).read_bytes() == signer.anchor()
    found = _listed(a)
    assert found["keys"] == [] and [one["file"] for one in found["notTrusted"]] == [f"{DIRECTORY}/cloud.pem"], found
    _fails(4, a, "trust", "remove", "cloud", says="no key of that name is trusted")
    # An empty file is replaced, and masked again.
    _does(a, "trust", "add", _file(a, signer.anchor()))
    assert [one["file"] for one in _listed(a)["keys"]] == [f"{DIRECTORY}/cloud.pem"]
    said = _does(a, "trust", "remove", "cloud")
    assert "Masked:" in said and "Removed:" in said, said
    assert _trusted(a).read_bytes() == b"" and _listed(a)["keys"] == []


def name_that_is_not_there_is_no_match():
    a, signer = _guest(), Signer()
    _fails(4, a, "trust", "remove", "cloud", says=["cloud.pem: no key of that name is trusted", "trust list"])
    assert not _trusted(a).parent.exists()
    _does(a, "trust", "add", _file(a, signer.anchor()))
    _fails(4, a, "trust", "remove", "other", says="other.pem: no key of that name is trusted")


def key_that_stays_under_another_name_is_reported():
    a, signer = _guest(), Signer()
    for name in "one", "two":
        _does(a, "trust", "add", _file(a, signer.anchor()), "--name", name)
    assert "still trusted as two.pem" in _does(a, "trust", "remove", "one")
    assert "still trusted" not in _does(a, "trust", "remove", "two")


def files_that_are_not_trusted_are_listed_with_the_reason():
    a, signer = _guest(), Signer()
    for name in "good", "writable", "unreadable":
        _does(a, "trust", "add", _file(a, signer.anchor()), "--name", name)
    _trusted(a, "writable.pem").chmod(0o666)
    _trusted(a, "unreadable.pem").chmod(0o600)
    _trusted(a, "\x1b[2J.pem").write_text("nonsense")
    found = _listed(a)
    assert [one["name"] for one in found["keys"]] == ["good"]
    why = {one["file"].rpartition("/")[2]: one["why"] for one in found["notTrusted"]}
    assert why.keys() == {"writable.pem", "unreadable.pem", "\x1b[2J.pem"}, why
    assert "writable by others" in why["writable.pem"] and why["unreadable.pem"] == "Permission denied", why
    said = _does(a, "trust", "list")
    assert "\\x1B[2J.pem: expected a PEM public key" in said and "\x1b" not in said, said


def number_of_keys_is_limited():
    a, signer = _guest(), Signer()
    _trusted(a).parent.mkdir()
    for n in range(64):
        _trusted(a, f"{n}.pem").write_bytes(signer.anchor())
    _fails(1, a, "trust", "add", _file(a, signer.anchor()), says="64 keys are trusted")
    assert not _trusted(a).exists()


def instance_id_is_set_and_shown():
    a, signer = _guest(), Signer()
    os.unlink(a.config.parent / "instance-id")
    a.trust(signer)
    os.unlink(a.config.parent / "instance-id")
    _fails(4, a, "instance-id", "show", "--socket", a.path(), says="instance-id set ID")
    said = _does(a, "instance-id", "set", "exc:compute:instance/i-9")
    assert re.search(r"^Instance: +i-9$", said, re.MULTILINE), said
    _is_safe(a.config.parent / "instance-id", 0o644)
    assert (a.config.parent / "instance-id").read_text() == "i-9\n"
    a.send("Push", signer.push(keys(1), aud="exc:compute:instance/i-9"))
    assert json.loads(_does(a, "instance-id", "show", "--json")) == {"instance": "i-9", "source": "the file instance-id"}
    # Also in place of one that does not count.
    (a.config.parent / "instance-id").chmod(0o666)
    _fails(1, a, "instance-id", "show", says=["the file instance-id", "only root can write", "instance-id set ID"])
    said = _does(a, "status", "--socket", a.path())
    assert "none: signed pushes are refused, since /etc/exc-instance-connect/instance-id does not count: " in said, said
    (a.config.parent / "instance-id").chmod(0o600)
    said = _does(a, "status", "--socket", a.path())
    assert "/etc/exc-instance-connect/instance-id does not count: cannot be read" in said, said
    _does(a, "instance-id", "set", "i-10")
    assert re.search(r"^From: +the file instance-id$", _does(a, "instance-id", "show"), re.MULTILINE)
    assert refusal(a.send, "Push", signer.push(keys(1), aud="exc:compute:instance/i-9")).error == "WrongInstance"


def instance_id_that_the_agent_would_not_take_is_not_written():
    a = _guest()
    for text in "", "a b", "a\n", "\x7f", "ä", "x" * 257, "exc:compute:instance/":
        _fails(2, a, "instance-id", "set", text, says="not an instance id")
    # As doctor prints the command.
    _fails(2, a, "instance-id", "set", "ID", says="put in the id")
    assert (a.config.parent / "instance-id").read_text() == INSTANCE + "\n"


def instance_id_in_the_configuration_comes_first():
    a = _guest()
    with open(a.config, "a", encoding="utf-8") as file:
        file.write("InstanceId=i-configured\n")
    assert "InstanceId= in the configuration comes first, so the id is i-configured" in _does(a, "instance-id", "set", "i-1")
    assert "i-configured" in _does(a, "instance-id", "show")


def credential_is_shown_as_the_agent_says():
    a = _guest(CREDENTIALS_DIRECTORY=str(WORLD / "tests" / f"credentials.{os.getpid()}"))
    os.unlink(a.config.parent / "instance-id")
    directory = WORLD / "tests" / f"credentials.{os.getpid()}"
    directory.mkdir()
    (directory / "exc.instance_id").write_text("i-credential\n")
    a.stop()
    a.start()
    said = _does(a, "instance-id", "show", "--socket", a.path())
    assert "i-credential" in said and "the credential exc.instance_id" in said, said


def credential_signs_until_a_key_is_added():
    """As systemd passes it: CREDENTIALS_DIRECTORY is of the agent, and here of the command as well."""
    directory = WORLD / "tests" / f"credentials.{os.getpid()}"
    given = {"CREDENTIALS_DIRECTORY": str(directory)}
    a, hosts, added = _guest(**given), [Signer(), Signer()], Signer()
    directory.mkdir(mode=0o755)
    (directory / "exc.trust").write_bytes(b"".join(signer.anchor() for signer in hosts))
    a.stop()
    a.start()
    for signer in hosts:
        a.send("Push", signer.push(keys(1)))
    assert refusal(a.send, "Push", added.push(keys(1))).error == "BadSignature"
    listed = json.loads(_does(a, "trust", "list", "--json", **given))
    assert [one["fingerprint"] for one in listed["keys"]] == [_fingerprint(signer) for signer in hosts], listed
    assert {one["file"] for one in listed["keys"]} == {f"{directory}/exc.trust"}, listed
    _does(a, "trust", "add", _file(a, added.anchor()))
    a.send("Push", added.push(keys(1)))
    assert refusal(a.send, "Push", hosts[0].push(keys(1))).error == "BadSignature"
    listed = json.loads(_does(a, "trust", "list", "--json", **given))
    assert [one["name"] for one in listed["keys"]] == ["cloud"], listed
    assert listed["notTrusted"][0]["file"] == f"{directory}/exc.trust", listed
    said = _does(a, "trust", "remove", "cloud", **given)
    assert "the keys of this credential are trusted now" in said, said
    a.send("Push", hosts[0].push(keys(1)))
    with open(a.config, "a", encoding="utf-8") as file:
        file.write("TrustCredential=no\n")
    assert refusal(a.send, "Push", hosts[0].push(keys(1))).error == "Untrusted"
    assert json.loads(_does(a, "trust", "list", "--json", **given))["keys"] == []


def changes_need_root():
    a, signer = _guest(), Signer()
    _does(a, "trust", "add", _file(a, signer.anchor()))
    for path in [a.dir, a.config.parent]:
        path.chmod(0o755)
    as_user = "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"
    for words in ("trust", "add", "cloud.pem", "--name", "x"), ("trust", "remove", "cloud"), ("instance-id", "set", "i-1"):
        _fails(1, a, *words, as_user=as_user, says=["Permission denied", "run it as root, e.g. with sudo"])
    assert [one["name"] for one in json.loads(_does(a, "trust", "list", "--json", as_user=as_user))["keys"]] == ["cloud"]
    assert INSTANCE in _does(a, "instance-id", "show", as_user=as_user)
