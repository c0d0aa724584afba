"""Finding the server of a home, or being one for the time of a command."""

import contextlib
import json
import os
from collections.abc import Generator
from typing import NamedTuple

from lodestep import config
from lodestep.cli import home as homes
from lodestep.cli.client import Client
from lodestep.errors import FailedPrecondition, LodestepError

_ANSWER_S = 5.0


class Found(NamedTuple):
    pid: int
    url: str


class Session(NamedTuple):
    """A server to talk to. `own` is true where it lives in this process and ends with the command."""

    client: Client
    settings: config.Settings
    own: bool


def running(settings: config.Settings) -> Found | None:
    """The server of the home that says where it is, lives, and answers."""
    try:
        told = json.loads((settings.home_path / "server.json").read_text())
        found = Found(int(told["pid"]), str(told["url"]))
        os.kill(found.pid, 0)
    except PermissionError:
        return None  # another user's process
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no server, or one that was killed
    client = Client(found.url, token=settings.token)
    try:
        client.status(timeout_s=_ANSWER_S)
    except LodestepError:
        return None
    finally:
        client.close()
    return found


@contextlib.contextmanager
def session(home: str | None) -> Generator[Session]:
    """The running server of the home; where there is none, one in this process for as long as the block lasts."""
    settings = homes.settings(home)
    if found := running(settings):
        client = Client(found.url, token=settings.token)
        try:
            yield Session(client, settings, own=False)
        finally:
            client.close()
        return
    with _own(settings) as client:
        yield Session(client, settings, own=True)


@contextlib.contextmanager
def _own(settings: config.Settings) -> Generator[Client]:
    import msgspec

    homes.make(settings)

    from lodestep import log, server

    log.to_stderr()
    local = msgspec.structs.replace(settings, host=config.DEFAULT_HOST, port=0)
    try:
        here = server.start_in_background(local)
    except FailedPrecondition as error:
        error.hint = error.hint or "is a server of this home just starting? try again"
        raise
    client = Client(here.url, token=settings.token)
    try:
        yield client
    finally:
        client.close()
        here.stop()
