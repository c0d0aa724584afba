"""The server's end of a step host: finds the host of an environment, or starts it, and speaks with it."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lodestep import runtime
from lodestep.errors import Unavailable
from lodestep.runtime import hostlock, reap, wire

_START_S = 30.0
_HELLO_S = 10.0
_DEATH_S = 10.0
_TRIES = 5
_READ = 1 << 18
_ENTRY = Path(runtime.__file__).with_name("__main__.py")
_PASSED_ON = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TMPDIR")
Message = dict[str, Any]


class HostLink:
    """One host. Messages come to `on_message`, the end of the connection to `on_lost`, both on the event loop."""

    def __init__(
        self,
        folder: Path,
        name: str,
        python: str,
        on_message: Callable[["HostLink", Message], None],
        on_lost: Callable[["HostLink"], None],
    ) -> None:
        self.name = name
        self.python = python  # the interpreter that it is started with; "" where only a living one is wanted
        self._folder = folder
        self._on_message = on_message
        self._on_lost = on_lost
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()
        self.running: set[str] = set()  # attempts that it said it runs when it was met

    @property
    def is_connected(self) -> bool:
        return self._writer is not None

    async def send(self, message: Message) -> None:
        """Tell the host something; starts one if none is there. Raises `Unavailable`."""
        writer = self._writer or await self.connect()
        writer.write(wire.pack(message))
        if writer.transport.get_write_buffer_size() > 1 << 20:
            with contextlib.suppress(OSError):  # a lost connection is told by `on_lost`
                await writer.drain()

    def say(self, message: Message) -> None:
        """Tell the host something if one is connected."""
        if self._writer is not None:
            self._writer.write(wire.pack(message))

    async def connect(self, *, start: bool = True) -> asyncio.StreamWriter:
        """Be connected. Raises `Unavailable` where there is no host and `start` is False, or none can be started."""
        async with self._connecting:
            if self._writer is not None:
                return self._writer
            for _ in range(_TRIES):
                try:
                    return await self._meet()
                except TimeoutError:
                    await self._end_silent()
                except OSError as error:
                    if not start:
                        raise Unavailable(f"there is no step host {self.name}") from error
                if start:
                    await self._start()
            raise Unavailable(f"the step host {self.name} does not answer", hint=self._last_words())

    async def gone(self) -> bool:
        """Wait until the process that was the host has ended and its steps with it. False if it lives on."""
        held = hostlock.holder(str(self._folder), self.name)
        if held is None or not held.is_alive:
            return True
        return await asyncio.to_thread(reap.wait_gone, held.pid, held.started, _DEATH_S)

    async def close(self) -> None:
        """Let go. The host lives on while it has something to do."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        self._hang_up()

    async def _meet(self) -> asyncio.StreamWriter:
        """Connect, and hear what it runs."""
        directory = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # The path of a socket has 108 bytes at most; by way of the folder's descriptor it always fits.
            reader, writer = await asyncio.open_unix_connection(f"/proc/self/fd/{directory}/{self.name}.sock")
        finally:
            os.close(directory)
        unpacker = wire.Unpacker()
        messages: list[Message] = []
        try:
            async with asyncio.timeout(_HELLO_S):
                while not messages:
                    data = await reader.read(_READ)
                    if not data:
                        raise ConnectionResetError("the host ended while it was met")
                    messages = unpacker.feed(data)
        except BaseException:
            writer.close()
            raise
        self.running = set(messages[0]["running"])
        self._writer = writer
        self._reading = asyncio.get_running_loop().create_task(self._read(reader, unpacker))
        for message in messages[1:]:
            self._on_message(self, message)
        return writer

    async def _read(self, reader: asyncio.StreamReader, unpacker: wire.Unpacker) -> None:
        try:
            while data := await reader.read(_READ):
                for message in unpacker.feed(data):
                    self._on_message(self, message)
        except (OSError, ValueError):
            pass  # a broken connection is a lost one, like the end of it
        self._hang_up()
        self._on_lost(self)

    def _hang_up(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    async def _start(self) -> None:
        """Start a host and wait until it listens. Raises `Unavailable`."""
        read, write = os.pipe()
        try:
            process = self._spawn(write)
        except OSError as error:
            os.close(read)
            raise Unavailable(f"no step host can be started with {self.python}: {error}") from error
        finally:
            os.close(write)
        try:
            async with asyncio.timeout(_START_S):
                word = await _next_bytes(read)
        except TimeoutError:
            word = b""
        finally:
            os.close(read)
        # What was started has forked the host and ended. If it is still there, it is no good.
        if not word:
            process.kill()
        await asyncio.to_thread(process.wait)
        if not word:
            message = f"the step host of {self.python} does not start"
            raise Unavailable(message, hint=self._last_words())

    def _spawn(self, ready: int) -> "subprocess.Popen[bytes]":
        env = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
        options = ["--folder", str(self._folder), "--name", self.name, "--ready", str(ready)]
        with (self._folder / f"{self.name}.log").open("wb") as log:
            return subprocess.Popen(
                [self.python, "-I", str(_ENTRY), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                pass_fds=(ready,),
                start_new_session=True,
            )

    async def _end_silent(self) -> None:
        """A host that does not say hello hangs: end it, so that another can take its place."""
        held = hostlock.holder(str(self._folder), self.name)
        if held is not None and held.is_alive:
            reap.kill_known(held.pid, held.started)
            await asyncio.to_thread(reap.wait_gone, held.pid, held.started, _DEATH_S)

    def _last_words(self) -> str:
        try:
            return (self._folder / f"{self.name}.log").read_text(errors="replace")[-500:].strip()
        except OSError:
            return ""


async def _next_bytes(descriptor: int) -> bytes:
    """What comes out of a pipe next; nothing at its end."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, lambda: ready.done() or ready.set_result(None))
    try:
        await ready
        return os.read(descriptor, 16)
    finally:
        loop.remove_reader(descriptor)
