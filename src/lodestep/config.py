"""Settings: where they come from, and what they are when nothing is said.

Order, the first that speaks wins: command line, environment (`LODESTEP_…`), `HOME/lodestep.toml`, the default here.
"""

import os
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from lodestep.errors import InvalidInput

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8888


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything is bounded. Each bound is named in the error that it causes and in `docs/limits.md`."""

    upload_bytes: int = 32 * 1024 * 1024
    request_bytes: int = 32 * 1024 * 1024
    log_bytes: int = 64 * 1024 * 1024
    output_parameter_bytes: int = 4 * 1024 * 1024
    loop_iterations: int = 100_000
    tasks_per_run: int = 1_000_000


class RunnerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How steps run on this machine.

    `parallel_attempts` 0 means two more than the number of processors. `images` maps an image name (or a prefix that
    ends in `*`) to the folder of a virtual environment whose programs stand in for that image's.
    """

    parallel_attempts: int = 0
    cancel_grace_s: float = 30.0
    pass_environment: list[str] = []
    images: dict[str, str] = {}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`artifact_roots` are folders beside the home whose files may be downloaded, where an artifact is one of them."""

    home: str = ""
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    namespace: str = ""
    allowed_hosts: list[str] = []
    token: str = ""
    artifact_roots: list[str] = []
    cache: bool = True
    final_status_success: str = "SUCCEEDED"
    limits: Limits = Limits()
    runner: RunnerSettings = RunnerSettings()

    @property
    def home_path(self) -> Path:
        return Path(self.home)


def default_home() -> Path:
    return Path(os.environ.get("LODESTEP_HOME") or Path.home() / ".lodestep").expanduser().absolute()


def load(*, home: str | None = None, **overrides: Any) -> Settings:
    """Settings of the home folder. Raises `InvalidInput` naming the file and the key that is wrong."""
    folder = Path(home).expanduser().absolute() if home else default_home()
    values: dict[str, Any] = {**_from_file(folder / "lodestep.toml"), **_from_environment()}
    values.update({key: value for key, value in overrides.items() if value is not None})
    values["home"] = str(folder)
    try:
        return msgspec.convert(values, Settings)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"settings: {error}", place=str(folder / "lodestep.toml")) from error


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", place=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"not TOML: {error}", place=str(path)) from error


def _from_environment() -> dict[str, Any]:
    values: dict[str, Any] = {}
    if host := os.environ.get("LODESTEP_HOST"):
        values["host"] = host
    if port := os.environ.get("LODESTEP_PORT"):
        try:
            values["port"] = int(port)
        except ValueError as error:
            raise InvalidInput(f"{port!r} is no port number", place="LODESTEP_PORT") from error
    if token := os.environ.get("LODESTEP_TOKEN"):
        values["token"] = token
    return values
