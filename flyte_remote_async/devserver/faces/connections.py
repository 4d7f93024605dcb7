"""Connections that die: resets those that this process has accepted, as a crash or a firewall does.

gRPC offers no way to lose a connection, so it is done below it, on the socket. Flyte's clients see what they would see
of a machine that went away: no GOAWAY, no status, a connection that is gone.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from pathlib import Path
from typing import Final

__all__ = ["cut_connections"]

_FDS: Final = Path("/dev/fd")
# On, with no time: what is closed is reset, and what was not sent yet is dropped.
_RESET: Final = struct.pack("ii", 1, 0)


def cut_connections(port: int, peer_port: int | None = None) -> int:
    """Reset connections that were accepted on a port. It blocks for a moment, and any thread may call it.

    Args:
        port: The port that they were accepted on.
        peer_port: The other side's port; None resets all of them.

    Returns:
        How many were reset; 0 where the system does not list the files of a process (Windows).
    """
    if not _FDS.is_dir():
        return 0
    return sum(_cut(int(path.name), port, peer_port) for path in _FDS.iterdir())


def _cut(fd: int, port: int, peer_port: int | None) -> bool:
    try:
        # Asked first: closing a copy of a file would give up SQLite's locks on it.
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return False
        # A copy: gRPC may close its own meanwhile, and the number may get another meaning.
        with socket.socket(fileno=os.dup(fd)) as connection:
            if connection.family not in (socket.AF_INET, socket.AF_INET6):
                return False
            here, there = connection.getsockname()[1], connection.getpeername()[1]
            if here != port or peer_port not in (None, there):
                return False
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # closed meanwhile, or a socket that listens
        return False
    return True
