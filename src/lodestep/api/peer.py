"""Who is at the other end of a loopback connection: the user that owns the client's socket.

Other users of a machine reach its loopback ports, and the official clients send no password. The kernel knows whose
socket it is: it is asked for that one socket (netlink `sock_diag`: no list is read), or the list in `/proc/net/tcp`
is searched where it cannot be asked. A socket that nobody holds any more is reported as root's on many kernels: it
counts as nobody's. Nothing is refused here.
"""

import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STATE_KEY = "lodestep.peer"

Address = tuple[str, int]

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_ALL_STATES = 0xFFFFFFFF
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_REQUEST = struct.Struct("=BBBxI")  # family, protocol, extensions, states
_ENDS = struct.Struct("!HH16s16s")  # source and destination: ports, addresses
_ANY_COOKIE = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)  # on any interface
_OWNER = struct.Struct("=II")  # uid, inode
_ENDS_AT = _HEADER.size + struct.calcsize("=BBBB")
_OWNER_AT = _ENDS_AT + _ENDS.size + len(_ANY_COOKIE) + struct.calcsize("=III")
_ERROR = struct.Struct("=i")
_MAPPED = bytes(10) + b"\xff\xff"  # what stands before an IPv4 address in an IPv6 one
_PROC = Path("/proc/self/net")


class Peer:
    """The other end of one connection. It is looked up once, when it is first asked about."""

    def __init__(self, client: Address | None, server: tuple[str, int | None] | None) -> None:
        self._client = client
        self._server = server
        self._found: tuple[int | None] | None = None

    @property
    def uid(self) -> int | None:
        """The user whose socket it is, or None where that cannot be told."""
        if self._found is None:
            self._found = (self._look(),)
        return self._found[0]

    def _look(self) -> int | None:
        if self._client is None or self._server is None or self._server[1] is None:
            return None
        return uid_of(self._client, (self._server[0], self._server[1]))


def of(scope: Mapping[str, Any]) -> Peer | None:
    """The peer of a request, or None where the request came over no socket: from within this process."""
    known = scope.get("state", {}).get(STATE_KEY)
    if isinstance(known, Peer):
        return known
    client, server = scope.get("client"), scope.get("server")
    return Peer(client, server) if client and server and _is_address(client[0]) and _is_address(server[0]) else None


def may_enter(uid: int | None) -> bool:
    """Whether a user may use this server without a token: its own and root, who can do everything anyway."""
    return uid is not None and uid in (0, os.geteuid())


def uid_of(client: Address, server: Address) -> int | None:
    """The user that owns the socket which is `client` towards `server`, both on this machine."""
    here, there = _packed(client[0]), _packed(server[0])
    if here is None or there is None or len(here) != len(there):
        return None
    try:
        return _asked(here, client[1], there, server[1])
    except OSError:
        return _listed(here, client[1], there, server[1])


def can_tell(host: str) -> bool:
    """Whether this kernel tells whose a connection to `host` is, tried with one of our own."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, 0), family=family) as listener:
            address = listener.getsockname()[:2]
            with socket.create_connection(address) as client:
                return uid_of(client.getsockname()[:2], address) == os.geteuid()
    except OSError:
        return True  # it cannot be listened on either, which is told where that is tried


def _packed(address: str) -> bytes | None:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).packed


def _is_address(text: object) -> bool:
    return isinstance(text, str) and _packed(text) is not None


def _asked(here: bytes, port: int, there: bytes, server_port: int) -> int | None:
    """Ask the kernel for this one socket. Raises `OSError` where it does not answer such questions."""
    family = socket.AF_INET if len(here) == 4 else socket.AF_INET6  # the first finds mapped sockets too
    ends = _ENDS.pack(port, server_port, here, there)
    body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, _ALL_STATES) + ends + _ANY_COOKIE
    header = _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
        kernel.send(header + body)
        said = kernel.recv(4096, socket.MSG_DONTWAIT)
    _, kind, *_ = _HEADER.unpack_from(said)
    if kind == _SOCK_DIAG_BY_FAMILY:
        ports = _ENDS.unpack_from(said, _ENDS_AT)[:2]  # others are of a listener, which the kernel looks for at last
        return _owner(*_OWNER.unpack_from(said, _OWNER_AT)) if ports == (port, server_port) else None
    (code,) = _ERROR.unpack_from(said, _HEADER.size)
    if -code == errno.ENOENT:
        return None  # there is no such socket
    raise OSError(-code, os.strerror(-code))


def _listed(here: bytes, port: int, there: bytes, server_port: int) -> int | None:
    """Search the kernel's list of sockets."""
    lists = [("tcp", here, there)] if len(here) == 4 else [("tcp6", here, there)]
    if len(here) == 4:
        lists.append(("tcp6", _MAPPED + here, _MAPPED + there))
    for name, client, server in lists:
        try:
            table = (_PROC / name).read_bytes()
        except OSError:
            continue
        at = table.find(b" %s:%04X %s:%04X " % (_listed_form(client), port, _listed_form(server), server_port))
        if at >= 0:
            _, _, _, _, _, _, uid, _, inode = table[at:].split(None, 9)[:9]
            return _owner(int(uid), int(inode))
    return None


def _listed_form(address: bytes) -> bytes:
    """An address as the list shows it: words as this machine reads them, in hex."""
    return b"".join(b"%08X" % word for word in struct.unpack(f"={len(address) // 4}I", address))


def _owner(uid: int, inode: int) -> int | None:
    """Sockets that were closed while data of theirs was on its way have no inode, and count as root's."""
    return uid if inode else None
