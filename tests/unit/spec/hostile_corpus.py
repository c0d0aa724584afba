"""Archives and documents that mean harm, or that nobody could run. Each must be refused with words.

`CASES` maps a name to a function that makes the bytes: some are large, so they are made where they are used.
"""

import base64
import binascii
import gzip
import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

Maker = Callable[[], bytes]
CASES: dict[str, Maker] = {}
NOT_A_PIPELINE = b"root:x:0:0\n"
PIPELINE: dict[str, Any] = {
    "pipelineInfo": {"name": "small"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "kfp-2.17.0",
    "components": {"comp-a": {"executorLabel": "exec-a"}},
    "deploymentSpec": {"executors": {"exec-a": {"container": {"image": "alpine", "command": ["true"]}}}},
    "root": {"dag": {"tasks": {"a": {"componentRef": {"name": "comp-a"}, "taskInfo": {"name": "a"}}}}},
}


def pipeline_text(**changes: Any) -> bytes:
    return json.dumps({**PIPELINE, **changes}).encode()


def _add(name: str, data: bytes | str) -> None:
    assert name not in CASES
    content = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    CASES[name] = lambda: content


def _make(name: str, maker: Maker) -> None:
    assert name not in CASES
    CASES[name] = maker


def zip_of(
    members: list[tuple[str, bytes]], *, method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"", mode: int = 0
) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            info.external_attr = mode << 16
            archive.writestr(info, data)
        archive.comment = comment
    return out.getvalue()


def tar_of(members: list[tarfile.TarInfo | tuple[str, bytes]], kind: int = tarfile.GNU_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member, io.BytesIO(bytes(min(member.size, 1024))) if member.isreg() else None)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return out.getvalue()


def tgz_of(members: list[tarfile.TarInfo | tuple[str, bytes]], kind: int = tarfile.GNU_FORMAT) -> bytes:
    return gzip.compress(tar_of(members, kind), 1)


def _zeros(mebibytes: int, wbits: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    block = bytes(1 << 20)
    return b"".join([*(packer.compress(block) for _ in range(mebibytes)), packer.flush()])


def _raw_zip(
    name: bytes, packed: bytes, *, method: int = 8, size: int, crc: int = 0, flags: int = 0, entries: int = 1
) -> bytes:
    """A zip of one member, with headers that say whatever one likes."""
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, flags, method, 0, 0, crc, len(packed), size, len(name), 0)
    body = local + name + packed
    central = struct.pack(
        "<4s6H3I5H2I", b"PK\x01\x02", 20, 20, flags, method, 0, 0, crc, len(packed), size, len(name), 0, 0, 0, 0, 0, 0
    )
    directory = central + name
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, entries, entries, len(directory), len(body), 0)
    return body + directory + end


def _tar_info(name: str, kind: bytes, target: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    info.size = size
    return info


def _zips() -> None:
    slips = ["../../evil.yaml", "/etc/cron.d/evil.yaml", "..\\..\\evil.yaml", "C:\\evil.yaml", "a/../../../evil.yml"]
    slips += [
        "\\\\host\\share\\evil.yaml",
        "./.././evil.yaml",
        "~/evil.yaml",
        "evil\x00.yaml",
        "con.yaml",
        "a" * 5000 + ".yaml",
    ]
    for at, name in enumerate(slips):
        _add(f"zip-slip-{at}", zip_of([(name, NOT_A_PIPELINE)]))
    _add("zip-link", zip_of([("pipeline.yaml", b"/etc/passwd")], mode=0o120777))
    _add("zip-empty", b"PK\x05\x06" + bytes(18))
    _add("zip-folder-only", zip_of([("folder/", b"")]))
    _add("zip-no-text", zip_of([("readme.md", b"hello"), ("x.py", b"print(1)")]))
    _add("zip-of-zip", zip_of([("pipeline.yaml", zip_of([("pipeline.yaml", pipeline_text())]))]))
    _add("zip-of-gzip", zip_of([("pipeline.yaml", gzip.compress(pipeline_text()))]))
    whole = zip_of([("pipeline.yaml", pipeline_text())])
    for share in (5, 30, 60, 90):
        _add(f"zip-cut-{share}", whole[: len(whole) * share // 100])
    _add("zip-noise", b"PK\x03\x04" + bytes(range(256)) * 64)
    _add("zip-comment", zip_of([("pipeline.yaml", NOT_A_PIPELINE)], comment=b"x" * 65_535))
    _make("zip-65k-members", lambda: zip_of([(f"{at}.yaml", b"") for at in range(65_600)], method=zipfile.ZIP_STORED))
    _make("zip-65k-members-hidden", _hidden_members)
    _make("zip-bomb", lambda: _raw_zip(b"pipeline.yaml", _zeros(200, -15), size=200 << 20))
    _make("zip-bomb-small-header", lambda: _raw_zip(b"pipeline.yaml", _zeros(200, -15), size=10))
    _make("zip-bomb-of-yaml", lambda: zip_of([("pipeline.yaml", b"- a\n" * 12_000_000)]))
    packed = zlib.compress(pipeline_text())[2:-4]
    _add("zip-crc-wrong", _raw_zip(b"pipeline.yaml", packed, size=len(pipeline_text()), crc=1))
    _add("zip-encrypted", _raw_zip(b"pipeline.yaml", packed, size=len(pipeline_text()), flags=1))
    for method in (1, 6, 9, 12, 14, 93, 95, 97, 99, 65_535):
        _add(f"zip-method-{method}", _raw_zip(b"pipeline.yaml", packed, size=len(pipeline_text()), method=method))
    _make("zip-bzip2-bomb", lambda: zip_of([("pipeline.yaml", bytes(300 << 20))], method=zipfile.ZIP_BZIP2))
    _make("zip-lzma-bomb", lambda: zip_of([("pipeline.yaml", bytes(100 << 20))], method=zipfile.ZIP_LZMA))
    _add("zip-size-huge", _raw_zip(b"pipeline.yaml", packed, size=0xFFFFFFFE))
    _add("zip-zip64-lie", _raw_zip(b"pipeline.yaml", packed, size=0xFFFFFFFF))
    _add("zip-directory-far", whole[:-6] + struct.pack("<I", 0xFFFFFF00) + whole[-2:])
    _add(
        "zip-name-bad", _raw_zip(b"\xff\xfe\xff.yaml", NOT_A_PIPELINE, size=len(NOT_A_PIPELINE), method=0, flags=0x800)
    )
    _add("zip-data-is-noise", _raw_zip(b"pipeline.yaml", b"\xff" * 5000, size=5000))


def _hidden_members() -> bytes:
    data = bytearray(zip_of([(f"{at}.yaml", b"") for at in range(65_000)], method=zipfile.ZIP_STORED))
    data[-14:-10] = struct.pack("<2H", 1, 1)
    return bytes(data)


def _tars() -> None:
    for name, kind, target in (
        ("link", tarfile.SYMTYPE, "/etc/passwd"),
        ("hard-link", tarfile.LNKTYPE, "/etc/passwd"),
        ("device", tarfile.CHRTYPE, ""),
        ("block-device", tarfile.BLKTYPE, ""),
        ("pipe", tarfile.FIFOTYPE, ""),
        ("folder", tarfile.DIRTYPE, ""),
    ):
        _add(f"tar-{name}", tgz_of([_tar_info("pipeline.yaml", kind, target)]))
    _add(
        "tar-link-loop",
        tgz_of([_tar_info("a.yaml", tarfile.SYMTYPE, "b.yaml"), _tar_info("b.yaml", tarfile.SYMTYPE, "a.yaml")]),
    )
    for at, name in enumerate(("../../evil.yaml", "/etc/cron.d/evil.yaml", "a/../../evil.yaml", "x" * 4000 + ".yaml")):
        _add(f"tar-slip-{at}", tgz_of([(name, NOT_A_PIPELINE)]))
    _add("tar-empty", tgz_of([]))
    _add("tar-no-text", tgz_of([("readme.md", b"hello")]))
    _add("tar-of-tar", tgz_of([("pipeline.yaml", tgz_of([("pipeline.yaml", pipeline_text())]))]))
    whole = tar_of([("pipeline.yaml", pipeline_text())])
    _add("tar-cut", gzip.compress(whole[:700]))
    _add("tar-size-lies", gzip.compress(_with_size(whole, b"77777777777\0")))
    _add("tar-size-negative", gzip.compress(_with_size(whole, b"\xff" * 12)))
    _add("tar-size-256", gzip.compress(_with_size(whole, b"\x80" + b"\x00" * 3 + b"\x7f" * 8)))
    _add("tar-size-noise", gzip.compress(_with_size(whole, b"abcdefghijk\0")))
    _make("tar-50k-members", lambda: tgz_of([_tar_info(f"{at}.yaml", tarfile.REGTYPE) for at in range(50_000)]))
    _make("tar-headers-only", lambda: gzip.compress(_pax_chain(5_000), 1))
    _add("tar-pax-size", gzip.compress(_pax(b"30 size=999999999999999999999\n") + whole))
    _add("tar-pax-noise", gzip.compress(_pax(b"\xff\xfe 99999 =\n") + whole[:512]))
    _add("tar-sparse", gzip.compress(_pax(b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n") + whole))
    _make("gzip-bomb", lambda: _zeros(300, 31))
    _make("gzip-bomb-of-tar", lambda: gzip.compress(tar_of([("pipeline.yaml", bytes(40 << 20))]), 1))
    _make("gzip-many-members", lambda: gzip.compress(b"a") * 100_000)
    _add("gzip-of-gzip", gzip.compress(gzip.compress(pipeline_text())))
    _add("gzip-cut", gzip.compress(pipeline_text())[:-12])
    _add("gzip-crc-wrong", gzip.compress(pipeline_text())[:-8] + bytes(8))
    _add("gzip-noise", b"\x1f\x8b\x08\xff" + bytes(range(256)) * 20)
    _add("gzip-method", b"\x1f\x8b\x07" + bytes(40))
    _add("gzip-header-only", b"\x1f\x8b")
    _add("gzip-trailing-noise", gzip.compress(b"") + b"noise")
    _add("gzip-of-nothing", gzip.compress(b""))
    _add("gzip-of-image", gzip.compress(b"\x89PNG\r\n\x1a\n" + bytes(50)))


def _with_size(tar: bytes, size: bytes) -> bytes:
    header = bytearray(tar[:512])
    header[124:136] = size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + tar[512:]


def _pax(records: bytes) -> bytes:
    info = tarfile.TarInfo("pax")
    info.type = tarfile.XHDTYPE
    info.size = len(records)
    return info.tobuf(tarfile.USTAR_FORMAT) + records + bytes(-len(records) % 512)


def _pax_chain(length: int) -> bytes:
    return _pax(b"12 path=a.b\n") * length


def _yaml_depth() -> None:
    for name, opening in (("list", "["), ("map", "{"), ("map-key", "{a: "), ("mixed", "[{a: "), ("question", "? ")):
        for count in (150, 30_000, 1_000_000):
            _add(f"deep-{name}-{count}", opening * count)
    _add("deep-dashes", "- " * 500_000)
    _add("deep-in-value", "a: " + "[" * 30_000 + "]" * 30_000)
    _add("deep-block", "".join(f"{' ' * depth}a:\n" for depth in range(300)))
    _add("deep-block-3000", "".join(f"{' ' * depth}a:\n" for depth in range(3_000)))
    _add("deep-lines", "".join(f"{' ' * depth}-\n" for depth in range(2_000)))
    _add("deep-multi-line", "[\n" * 100_000)
    _add("deep-aliases", "a0: &a0 []\n" + "".join(f"a{at}: &a{at} [*a{at - 1}]\n" for at in range(1, 900)))


def _yaml_aliases() -> None:
    laughs = "a: &a [x,x,x,x,x,x,x,x,x]\n"
    for before, after in zip("abcdefghi", "bcdefghij", strict=True):
        laughs += f"{after}: &{after} [{','.join([f'*{before}'] * 9)}]\n"
    _add("alias-laughs", laughs)
    doubling = "a0: &a0 {k: v}\n" + "".join(f"a{at}: &a{at} {{x: *a{at - 1}, y: *a{at - 1}}}\n" for at in range(1, 60))
    _add("alias-doubling", doubling)
    _add("alias-many", "a: &a 1\nb: [" + ",".join(["*a"] * 5_000) + "]\n")
    _add("alias-text", "a: &a '" + "x" * 1_000_000 + "'\nb: [" + ",".join(["*a"] * 900) + "]\n")
    _add("alias-recursive", "a: &a [*a]\n")
    _add("alias-recursive-map", "&a a: *a\nb: &b {c: *b}\n")
    _add("alias-unknown", "a: *nothing\n")
    _add("alias-across-documents", "a: &a 1\n---\nb: *a\n")
    _add("alias-as-key", "a: &a [1]\n*a : 2\n")
    _add("anchor-only", "&a")
    _add("anchors-many", "".join(f"- &a{at} x\n" for at in range(200_000)))
    _add("merge", "a: &a {b: 1}\nc:\n  <<: *a\n")
    _add("merge-list", "a: &a {b: 1}\nc:\n  <<: [*a, *a]\n")
    _add("merge-bomb", "a: &a {b: 1}\n" + "".join(f"a{at}: &b{at}\n  <<: [*a, *a]\n" for at in range(1_500)))
    _add("merge-inline", "<<: {a: 1}\n")


def _yaml_tags() -> None:
    for at, tag in enumerate(
        (
            "!!python/object/apply:os.system ['touch pwned']",
            "!!python/object/new:os.system [echo]",
            "!!python/name:os.system",
            "!!python/module:os",
            "!!python/tuple [1]",
            "!!binary aGVsbG8=",
            "!!set {a, b}",
            "!!omap [a: 1]",
            "!!pairs [a: 1]",
            "!!timestamp 2020-01-01",
            "!custom x",
            "!<tag:example.org,2000:x> y",
            "!!int text",
            "!!bool 1",
            "!!null 1",
            "!!float x",
            "!!merge x",
        )
    ):
        _add(f"tag-{at}", f"a: {tag}\n")
    _add("tag-directive", "%TAG ! tag:example.org,2000:\n---\n!x a\n")
    _add("yaml-directive", "%YAML 9.9\n---\na: 1\n")


def _texts() -> None:
    good = pipeline_text().decode()
    _add("nul-first", "\0" + good)
    _add("nul-inside", good.replace("alpine", "alp\0ine"))
    _add("nul-last", good + "\0")
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        _add(encoding, good.encode(encoding))
    for name, bad in (
        ("overlong", b"\xc0\xaf"),
        ("lone", b"\x80"),
        ("cut", b"\xe2\x82"),
        ("surrogate", b"\xed\xa0\x80"),
        ("beyond", b"\xf4\x90\x80\x80"),
        ("latin", "é".encode("latin-1")),
        ("ff", b"\xff"),
    ):
        _add(f"utf8-{name}", good.encode().replace(b"alpine", bad))
        _add(f"utf8-yaml-{name}", b"a: " + bad + b"\n")
    for code in (0x01, 0x08, 0x1B, 0x7F, 0x9F, 0xFFFE, 0xFFFF):
        _add(f"control-{code:x}", f"a: b{chr(code)}\n")
    _add("escaped-surrogate", r'a: "\ud800"' + "\n")
    _add("json-surrogate", good.replace("alpine", r"\ud800"))
    for name, data in (
        ("png", b"\x89PNG\r\n\x1a\n" + bytes(100)),
        ("jpeg", b"\xff\xd8\xff\xe0" + bytes(100)),
        ("pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"),
        ("elf", b"\x7fELF" + bytes(100)),
        ("bzip2", b"BZh91AY&SY" + bytes(30)),
        ("xz", b"\xfd7zXZ\x00" + bytes(30)),
        ("zstd", b"\x28\xb5\x2f\xfd" + bytes(30)),
        ("pickle", b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00."),
        ("base64", base64.b64encode(pipeline_text())),
        ("hex", binascii.hexlify(pipeline_text())),
    ):
        _add(f"file-{name}", data)
    for name, text in (
        ("empty", ""),
        ("spaces", "  \n\n \n"),
        ("comments", "# PIPELINE DEFINITION\n# Name: x\n"),
        ("bom", "\ufeff"),
        ("marks", "---\n---\n"),
        ("one-mark", "---\n"),
        ("null", "null\n"),
        ("word", "hello\n"),
        ("list", "- a\n- b\n"),
        ("number", "42\n"),
        ("three-documents", "a: 1\n---\nb: 2\n---\nc: 3\n"),
        ("tab", "a:\n\tb: 1\n"),
        ("unclosed", "a: 'b\n"),
        ("two-colons", "a: b: c\n"),
        ("no-close", "a: [1, 2\n"),
        ("wrong-indent", "a: 1\n  b: 2\n"),
        ("html", "<!doctype html><html><body>404</body></html>"),
    ):
        _add(f"text-{name}", text)
    _make("documents-many", lambda: b"---\na\n" * 500_000)


def _sizes() -> None:
    _add("key-2k", "x" * 2_000 + ": 1\n")
    _add("key-quoted-2k", f'{{"{"x" * 2_000}": 1}}')
    _add("key-1m", f'? "{"x" * 1_000_000}"\n: 1\n')
    _make("text-9m", lambda: b"a: '" + b"x" * (9 << 20) + b"'\n")
    _make("text-9m-open", lambda: b'a: "' + b"x" * (9 << 20))
    _make("block-9m", lambda: b"a: |\n" + b"  xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n" * 300_000)
    _make("upload-33m", lambda: b" " * (33 << 20))
    _make("nodes-list", lambda: b"- a\n" * 2_000_000)
    _make("nodes-flow", lambda: b"[" + b"a," * 2_000_000 + b"]")
    _make("nodes-map", lambda: "".join(f"k{at}: 1\n" for at in range(1_100_000)).encode())
    _make("nodes-nested", lambda: b"- [[],[],[],[]]\n" * 500_000)
    _make("nodes-commas", lambda: b"[" + b"," * 1_000_000)
    _make("nodes-comments", lambda: b"#\n" * 5_000_000)
    _add("number-1m-digits", "a: " + "9" * 1_000_000 + "\n")
    _add("number-base-60", "a: 1" + ":0" * 500_000 + "\n")
    _add("number-hex", "a: 0x" + "f" * 1_000_000 + "\n")
    _add("number-underscores", "a: 1" + "_" * 1_000_000 + "\n")
    _add("number-float", "a: " + "9" * 1_000_000 + ".0\n")
    for name, text in (("inf", ".inf"), ("minus-inf", "-.inf"), ("nan", ".nan"), ("beyond", "1.0e+999")):
        _add(f"number-{name}", f"a: {text}\n")
    _add("duplicate", "a: 1\na: 2\n")
    _add("duplicate-quoted", "a: 1\n'a': 2\n")
    _add("duplicate-number", "1: 1\n'1': 2\n")
    _add("duplicate-deep", "a: [{b: {c: 1, c: 2}}]\n")
    _add("key-is-list", "? [a]\n: 1\n")
    _add("key-is-map", "? {a: 1}\n: 1\n")


def _json() -> None:
    for opening in ("[", '{"a":', '[{"a":'):
        for count in (120, 20_000, 1_000_000):
            _add(f"json-deep-{opening[:2].strip()}-{len(opening)}-{count}", '{"x":' + opening * count)
    closed = '{"a":' * 150 + "1" + "}" * 150
    _add("json-deep-closed", closed)
    _add("json-deep-500", '{"a":' + "[" * 500 + "]" * 500 + "}")
    _make("json-nodes", lambda: b'{"a":[' + b"[]," * 5_000_000 + b"1]}")
    _make("json-nodes-objects", lambda: b'{"a":[' + b'{"a":1},' * 1_500_000 + b"1]}")
    _make("json-nodes-numbers", lambda: b'{"a":[' + b"1," * 10_000_000 + b"1]}")
    _make("json-text-commas", lambda: b'{"a":"' + b"," * (20 << 20) + b'"}')
    good = pipeline_text().decode()
    _add("json-cut", good[:-20])
    _add("json-behind", good + "}")
    _add("json-two", good + good)
    _add("json-comment", "{/* hello */" + good[1:])
    _add("json-duplicate", good[:-1] + ', "schemaVersion": "2.1.0"}')
    _add("json-duplicate-spaced", good[:-1] + ', "schemaVersion" : "2.1.0"}')
    _add("json-duplicate-deep", good.replace('"image": "alpine"', '"image": "alpine", "image": "busybox"'))
    _add("json-duplicate-backslash", good.replace('"image":', '"a\\\\": 1, "image": "busybox", "image":'))
    _add("json-nan", good.replace('"2.1.0"', "NaN"))
    _add("json-infinity", good.replace('"2.1.0"', "-Infinity"))
    _add("json-number-beyond", good.replace('"2.1.0"', "1e999"))
    _add("json-number-digits", '{"a":' + "9" * 1_000_000 + "}")
    _add("json-key-huge", '{"' + "k" * 1_000_000 + '":1}')
    _add("json-text-unclosed", '{"a":"' + "x" * 1_000_000)
    _add("json-escape-bad", r'{"a":"\x"}')


def _documents() -> None:
    def with_(name: str, **changes: Any) -> None:
        _add(f"pipeline-{name}", pipeline_text(**changes))

    with_("unknown-field", components_1={})
    with_("no-name", pipelineInfo={"name": None})
    with_("name-upper", pipelineInfo={"name": "Small"})
    with_("name-path", pipelineInfo={"name": "../../etc"})
    with_("name-long", pipelineInfo={"name": "a" * 129})
    with_("schema-9", schemaVersion="9.0.0")
    with_("schema-none", schemaVersion=None)
    with_("root-none", root={})
    with_("root-empty", root={"dag": {"tasks": {}}})
    with_("component-unknown", components={})
    with_("executor-unknown", deploymentSpec={"executors": {}})
    with_("executor-empty", deploymentSpec={"executors": {"exec-a": {}}})
    with_("type-wrong", components=[])
    with_("self-recursion", components={"comp-a": PIPELINE["root"]})
    halves = {
        f"comp-{at}": {"dag": {"tasks": {side: {"componentRef": {"name": f"comp-{at + 1}"}} for side in "lr"}}}
        for at in range(60)
    }
    with_(
        "component-bomb",
        components={**halves, "comp-60": {"executorLabel": "exec-a"}},
        root={"dag": {"tasks": {"a": {"componentRef": {"name": "comp-0"}}}}},
    )
    chain = {
        f"comp-{at}": {"dag": {"tasks": {"t": {"componentRef": {"name": f"comp-{at + 1}"}}}}} for at in range(5_000)
    }
    with_(
        "component-chain",
        components={**chain, "comp-5000": {"executorLabel": "exec-a"}},
        root={"dag": {"tasks": {"a": {"componentRef": {"name": "comp-0"}}}}},
    )
    circle = {
        f"t{at}": {"componentRef": {"name": "comp-a"}, "dependentTasks": [f"t{(at + 1) % 3_000}"]}
        for at in range(3_000)
    }
    with_("task-circle", root={"dag": {"tasks": circle}})
    strangers = {
        f"t{at}": {"componentRef": {"name": f"comp-{at}"}, "dependentTasks": [f"x{at}", f"y{at}"]}
        for at in range(5_000)
    }
    with_("many-problems", root={"dag": {"tasks": strangers}})
    wide = {f"field{at}": 1 for at in range(100_000)}
    with_("many-unknown-fields", **wide)
    _add("argo", "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: x-}\nspec: {}\n")
    _add("component-yaml", "name: x\nimplementation:\n  container:\n    image: alpine\n")
    _add("platform-only", "platforms:\n  kubernetes:\n    deploymentSpec: {}\n")
    _add("two-pipelines", pipeline_text() + b"\n---\n" + pipeline_text())
    _add("wrapped-unknown", json.dumps({"pipeline_spec": PIPELINE, "extra": 1}))
    _add("wrapped-text", json.dumps({"pipeline_spec": "x"}))
    _add(
        "platform-unknown",
        pipeline_text()
        + b"\n---\nplatforms: {kubernetes: {deploymentSpec: {executors: {exec-a: {privileged: true}}}}}\n",
    )


for _group in (_zips, _tars, _yaml_depth, _yaml_aliases, _yaml_tags, _texts, _sizes, _json, _documents):
    _group()
