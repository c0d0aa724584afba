"""Whom a request names as its server, and whose page sent it: `Host`, `Origin` and the two compared.

A page of another site can reach a local server in two ways: its own name is made to resolve to this machine (then
`Host` is foreign), or it calls this machine by its right name (then `Origin` is foreign). What does not have exactly
the form that clients send is foreign. Names are not resolved here.
"""

import ipaddress
import re
from typing import NamedTuple

from lodestep.config import Settings
from lodestep.errors import InvalidInput

_LABEL = rb"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_AUTHORITY = re.compile(
    rb"(?:\[(?P<v6>[0-9A-Fa-f:.]{2,45})\]|(?P<name>"
    + _LABEL
    + rb"(?:\."
    + _LABEL
    + rb")*))(?::(?P<port>[1-9][0-9]{0,4}))?"
)
_ORIGIN = re.compile(rb"(?P<scheme>https?)://(?P<authority>.+)")
_DEFAULT_PORTS = {b"http": 80, b"https": 443}
_LONGEST = 255 + len(":65535")
_EVERY_ADDRESS = ("", "0.0.0.0", "::")
_MEMO = 64


class Authority(NamedTuple):
    """A host in its one spelling, and the port if one was named."""

    name: str
    port: int | None


def parse(value: bytes) -> Authority | None:
    """The authority that `value` is, or None where it is not exactly one: no user, no trailing dot, no white space."""
    found = _AUTHORITY.fullmatch(value) if len(value) <= _LONGEST else None
    if found is None:
        return None
    port = int(found["port"]) if found["port"] else None
    if port is not None and port > 65535:
        return None
    if found["v6"] is None:
        return Authority(found["name"].decode("ascii").lower(), port)
    try:
        return Authority(str(ipaddress.IPv6Address(found["v6"].decode("ascii"))), port)
    except ValueError:
        return None


def is_loopback(name: str) -> bool:
    """Whether `name` is this machine and nothing else: 127.0.0.0/8, ::1 or localhost, in their plain spelling."""
    if name.lower() == "localhost" or name == "::1":
        return True
    try:
        return ipaddress.IPv4Address(name).is_loopback
    except ValueError:
        return False


def is_same_origin(origin: bytes, host: Authority) -> bool:
    """Whether a page from `origin` is a page of this server, as which `host` was named."""
    found = _ORIGIN.fullmatch(origin)
    page = parse(found["authority"]) if found else None
    if found is None or page is None:
        return False
    default = _DEFAULT_PORTS[found["scheme"]]
    return page.name == host.name and (page.port or default) == (host.port or default)


class Hosts:
    """The names under which this server may be asked.

    `settings.allowed_hosts` holds names (with or without this server's port) and `name:port` pairs, as they arrive
    through a proxy or a forwarded port. Raises `InvalidInput` for one that is neither.
    """

    def __init__(self, settings: Settings) -> None:
        self._names: set[str] = set()
        self._pairs: set[Authority] = set()
        self._memo: dict[tuple[bytes, tuple[str, int | None]], Authority] = {}
        for text in settings.allowed_hosts:
            allowed = _of_setting(text)
            if allowed.port is None:
                self._names.add(allowed.name)
            else:
                self._pairs.add(allowed)
        if settings.host not in _EVERY_ADDRESS:
            self._names.add(settings.host.lower())

    def accepted(self, value: bytes, server: tuple[str, int | None]) -> Authority | None:
        """The authority in a `Host` header, if a request to `server` (address and port) may name it."""
        known = self._memo.get((value, server))
        if known is not None:
            return known
        named = parse(value)
        if named is None or not self._is_ours(named, server):
            return None
        if len(self._memo) < _MEMO:
            self._memo[value, server] = named
        return named

    def _is_ours(self, named: Authority, server: tuple[str, int | None]) -> bool:
        if named in self._pairs:
            return True
        address, port = server
        if named.port not in (None, port):
            return False
        return is_loopback(named.name) or named.name in self._names or named.name == address


def _of_setting(text: str) -> Authority:
    try:
        allowed = parse(text.encode("ascii"))
    except UnicodeEncodeError:
        allowed = None
    if allowed is None:
        raise InvalidInput(
            f"settings: {text!r} in allowed_hosts is no host name",
            hint="write a name or an address, with a port if that is not this server's: example.org, [fd00::7]:8443",
        )
    return allowed
