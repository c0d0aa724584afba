"""Pipeline files in archives, read in memory: nothing is ever unpacked to disk, so links and paths lead nowhere.

What a header says of a size is not believed: bytes are counted as they come out.
"""

import gzip
import io
import tarfile
import zipfile
import zlib
from typing import Protocol

from lodestep.errors import InvalidInput, TooLarge
from lodestep.spec.limits import LoadLimits

_TEXTS = (".yaml", ".yml", ".json")
_CHUNK = 64 * 1024
_DAMAGES = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError)
_ENCRYPTED = 0x1
# Others unpack without a bound on what one read gives.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def pipeline_file(data: bytes, limits: LoadLimits) -> bytes:
    """The pipeline file of a zip, a tar.gz or a gzip: `pipeline.yaml`, else the first YAML or JSON file.

    Raises `InvalidInput` where there is none or the archive is damaged, `TooLarge` where it holds too much.
    """
    try:
        return _from_zip(data, limits) if data[:2] == b"PK" else _from_gzip(data, limits)
    except RecursionError as error:
        raise InvalidInput("the archive is damaged: headers that lead to nothing but headers") from error
    except (*_DAMAGES, RuntimeError, ValueError, OverflowError, OSError) as error:
        raise InvalidInput(f"the archive is damaged: {error}") from error


def _from_zip(data: bytes, limits: LoadLimits) -> bytes:
    # The library reads the whole directory first. Each entry of it has this mark, whatever the end record says.
    _check_members(data.count(b"PK\x01\x02"), limits)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: info for info in reversed(archive.infolist()) if not info.is_dir()}
        chosen = members[_choose(list(reversed(members)))]
        if chosen.flag_bits & _ENCRYPTED:
            raise InvalidInput(f"the archive's {chosen.filename!r} is encrypted")
        if chosen.compress_type not in _METHODS:
            raise InvalidInput(
                f"the archive's {chosen.filename!r} is packed by method {chosen.compress_type}: expected deflate"
            )
        with archive.open(chosen) as member:
            return _read(member, limits)


def _from_gzip(data: bytes, limits: LoadLimits) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        inner = _read(stream, limits)
    if not _is_tar(inner):
        return inner
    with tarfile.open(fileobj=io.BytesIO(inner), mode="r:") as archive:
        members: dict[str, tarfile.TarInfo] = {}
        for count, member in enumerate(archive, start=1):
            _check_members(count, limits)
            if member.isfile():
                members.setdefault(member.name, member)
        content = archive.extractfile(members[_choose(list(members))])
        if content is None:
            raise InvalidInput("the archive's pipeline file is no regular file")
        with content:
            return _read(content, limits)


def _is_tar(data: bytes) -> bool:
    return data[257:262] == b"ustar" or (len(data) >= 512 and not data[:512].strip(b"\0"))  # or an empty one


def _check_members(count: int, limits: LoadLimits) -> None:
    if count > limits.archive_members:
        raise TooLarge(f"the archive has {count} members: at most {limits.archive_members}")


def _choose(names: list[str]) -> str:
    texts = [name for name in names if name.lower().endswith(_TEXTS) and not _is_shadow(name)]
    if not texts:
        shown = ", ".join(names[:5]) or "nothing"
        raise InvalidInput(f"the archive holds no pipeline file: expected pipeline.yaml, found {shown}")
    exact = [name for name in texts if name.rpartition("/")[2] == "pipeline.yaml"]
    return (exact or texts)[0]


def _is_shadow(name: str) -> bool:
    """What macOS puts beside the files of an archive."""
    return name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith("._")


def _read(stream: _Readable, limits: LoadLimits) -> bytes:
    content = io.BytesIO()
    while chunk := stream.read(_CHUNK):
        if content.tell() + len(chunk) > limits.archive_bytes:
            raise TooLarge(f"the archive expands to more than {limits.archive_bytes} bytes")
        content.write(chunk)
    return content.getvalue()
