# SPDX-License-Identifier: Apache-2.0
"""
The user that one thread is. os.seteuid() changes that of all threads, one of which may be about to send a signal as root.
"""

import contextlib
import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)
_SETRESUID = {"x86_64": 117, "aarch64": 147}[os.uname().machine]


def _become(uid):
    if _libc.syscall(_SETRESUID, -1, uid, -1) != 0:
        raise OSError(ctypes.get_errno(), f"setresuid({uid})")


@contextlib.contextmanager
def effective_user(uid):
    """This thread of root's has that effective user."""
    _become(uid)
    try:
        yield
    finally:
        _become(0)
