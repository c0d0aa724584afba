"""Python environments for steps that ask for packages: made once for each set of requirements, kept by content.

    HOME/environments/DIGEST/            a virtual environment, complete
    HOME/environments/.DIGEST.partial/   one in the making; a leftover of a crash is made anew

Made with uv, which reads the user's own package settings. Sets that are asked for at the same time are made in parallel;
a set that several ask for is made once.
"""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import msgspec
import uv

from lodestep import jsonio
from lodestep.config import Settings

_PARALLEL = 2
_MARKER = "lodestep.json"


class Requirements(msgspec.Struct, frozen=True):
    """What a step asks for: pip requirements, and where they may come from (the first index is the main one)."""

    packages: tuple[str, ...]
    index_urls: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        parts = [sorted(self.packages), self.index_urls, self.trusted_hosts, sys.version]
        return jsonio.digest(jsonio.canonical(parts))[:24]


class Environment(msgspec.Struct, frozen=True):
    python: str
    digest: str


class EnvironmentFailed(Exception):
    """It could not be made. `message` is one line, `detail` the installer's own words."""

    def __init__(self, message: str, detail: str) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class Environments:
    def __init__(self, root: Path, settings: Settings) -> None:
        self._root = root
        self._settings = settings
        self._making: dict[str, asyncio.Task[Environment]] = {}
        self._places = asyncio.Semaphore(_PARALLEL)

    async def ensure(self, requirements: Requirements) -> Environment:
        """The environment with these packages, made if need be. Raises `EnvironmentFailed`."""
        digest = requirements.digest
        folder = self._root / digest
        if (folder / _MARKER).exists():
            return Environment(str(folder / "bin" / "python"), digest)
        if digest not in self._making:
            task = asyncio.get_running_loop().create_task(self._make(requirements, folder))
            self._making[digest] = task
            task.add_done_callback(lambda _: self._making.pop(digest, None))
        # One who waits may be cancelled; the others still want it.
        return await asyncio.shield(self._making[digest])

    async def _make(self, requirements: Requirements, folder: Path) -> Environment:
        async with self._places:
            partial = folder.with_name(f".{folder.name}.partial")
            await asyncio.to_thread(shutil.rmtree, partial, ignore_errors=True)
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                await self._uv("venv", "--quiet", "--python", sys.executable, "--relocatable", str(partial))
                await self._install(requirements, partial)
                (partial / _MARKER).write_bytes(jsonio.encode(requirements))
                partial.replace(folder)
            except OSError as error:
                raise EnvironmentFailed(f"the environment could not be written: {error}", "") from error
            finally:
                await asyncio.to_thread(shutil.rmtree, partial, ignore_errors=True)
        return Environment(str(folder / "bin" / "python"), folder.name)

    async def _install(self, requirements: Requirements, partial: Path) -> None:
        options: list[str] = []
        for position, url in enumerate(requirements.index_urls):
            options += ["--index-url" if position == 0 else "--extra-index-url", url]
        if len(requirements.index_urls) > 1:
            options += ["--index-strategy", "unsafe-best-match"]  # pip's own way with several indexes
        for host in requirements.trusted_hosts:
            options += ["--allow-insecure-host", host]
        python = str(partial / "bin" / "python")
        # The packages come after `--`: a requirement must never be taken for an option.
        await self._uv("pip", "install", "--quiet", "--python", python, *options, "--", *requirements.packages)

    async def _uv(self, *arguments: str) -> None:
        env = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH")}
        process = await asyncio.create_subprocess_exec(
            uv.find_uv_bin(),
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=env,
        )
        said, _ = await process.communicate()
        if process.returncode != 0:
            words = said.decode(errors="replace").strip()
            asked = ", ".join(arguments[arguments.index("--") + 1 :]) if "--" in arguments else "an environment"
            raise EnvironmentFailed(f"could not install {asked}", words[-8000:])
