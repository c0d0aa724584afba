"""Tiny wheels, and a package index on this machine that serves them: to install needs no network."""

import base64
import hashlib
import http.server
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def wheel(folder: Path, name: str, version: str = "1.0", *, needs: tuple[str, ...] = (), source: str = "") -> Path:
    """Build a wheel whose module has `VERSION`, and `source`."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n{source}\n",
        f"{info}/METADATA": metadata + "".join(f"Requires-Dist: {each}\n" for each in needs),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\nrun-{name} = {name}:main\n",
    }
    rows = [f"{path},sha256={_hash(text)},{len(text.encode())}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for place, text in files.items():
            archive.writestr(place, text)
    return path


def _hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


class Index:
    """A simple index of the wheels in a folder. `asked` has the names of packages that it was asked for.

    With a `hold`, it answers for the first package only once that is set.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self.asked: list[str] = []
        self.credentials: set[str] = set()
        self.was_asked = threading.Event()
        self.hold: threading.Event | None = None

    def page(self, name: str) -> bytes:
        found = sorted(path.name for path in self.folder.glob(f"{name}-*.whl"))
        return "".join(f'<a href="/files/{each}">{each}</a>\n' for each in found).encode()


@contextmanager
def serving(folder: Path) -> Iterator[Index]:
    index = Index(folder)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            index.credentials.add(self.headers.get("Authorization", ""))
            kind, _, name = self.path.strip("/").partition("/")
            if kind == "simple":
                index.asked.append(name)
                index.was_asked.set()
                if index.hold is not None:
                    index.hold.wait(60)
                self._answer(index.page(name), "text/html")
            elif kind == "files" and (index.folder / name).exists():
                self._answer((index.folder / name).read_bytes(), "application/octet-stream")
            else:
                self.send_error(404)

        do_HEAD = do_GET

        def _answer(self, body: bytes, kind: str) -> None:
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                try:
                    self.wfile.write(body)
                except OSError:  # the one who asked was ended
                    pass

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a test reads `asked`."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    index.url = f"http://127.0.0.1:{server.server_port}/simple"
    try:
        yield index
    finally:
        if index.hold is not None:
            index.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()
