"""Paths and URIs that want to lead out of a folder: every way of writing `..`, and every place worth going to."""

from pathlib import Path

CANARY = "CANARY-7f3a9c"

_UPS = [
    "..",
    "%2e%2e",
    "%2E%2e",
    ".%2e",
    "%2e.",
    "%252e%252e",
    "%25252e%25252e",
    "..%00",
    "..%20",
    "..%09",
    "%c0%ae%c0%ae",
    "%e0%80%ae%e0%80%ae",
    "%uff0e%uff0e",
    "．．",
    "‥",
    "..;",
    "..\\..",
    "%2e%2e%5c",
    "....",
    "...",
    ".",
    "%2e",
    "..%3f",
    "..%23",
]
_SEPARATORS = ("/", "%2f", "%2F", "%252f", "\\", "%5c", "//", "/./", "%c0%af", "∕", ";/")
_SCHEMES = """
file:{path}
file:/{path}
file://{path}
FILE://{path}
FiLe://{path}
file:///{path}
file:////{path}
file://localhost{path}
file://LOCALHOST{path}
file://localhost:80{path}
file://127.0.0.1{path}
file://[::1]{path}
file://user@localhost{path}
file://evil.example{path}
file://.{path}
file://..{path}
file://~{path}
file://%2e%2e{path}
file://{path}?
file://{path}#
file://{path}?x=/../..
file://{path};x
file://{path}%00
file://{path}%00.txt
file://{path}%0a
file://{path}%20
file://{path}/
file://{path}/.
file://{path}/../
 file://{path}
file:// {path}
file\t://{path}
file:\\\\{path}
file:///.{path}
{path}
/{path}
//{path}
{path}/
{path}/.
/.{path}
/proc/self/root{path}
/proc/self/cwd/../../../../../../../..{path}
/dev/fd/../..{path}
~{path}
~root{path}
$HOME/../..{path}
${{HOME}}/../..{path}
`cat {path}`
$(cat {path})
|cat {path}
{path}|cat
<{path}
*{path}
{path}*
{path}\x00
{path}\x00.txt
{path}\n
{path}\r\n.txt
{path}\x7f
http://localhost{path}
https://localhost{path}
ftp://localhost{path}
s3://bucket{path}
s3://..{path}
gs://bucket/../../..{path}
minio://../../..{path}
hdfs://{path}
az://{path}
oci://{path}
data:text/plain,{path}
jar:file://{path}!/
zip://{path}
php://filter/resource={path}
netdoc://{path}
local://{path}
unix://{path}
view-source:file://{path}
file://file://{path}
file:file:{path}
url:file://{path}
\\\\localhost\\c$\\..{path}
\\\\?\\{path}
C:\\..\\..{path}
C:{path}
{{{{$.inputs.parameters['x']}}}}{path}
""".strip("\n").split("\n")
_ODD = (
    "",
    " ",
    ".",
    "..",
    "/",
    "//",
    "\\",
    "~",
    "*",
    "?",
    "%",
    "%%",
    "%0",
    "\x00",
    "\n",
    "-",
    "--help",
    "CON",
    "NUL",
    "a" * 300,
)
_ODD_LONG = ("a/" * 2100, "../" * 700, "/" * 5000, "%2e%2e%2f" * 300, "é" * 200, "\u202e/etc", "\ufeff/etc", "😀/../..")


def places(outside: Path, home: Path) -> list[str]:
    """What is worth reading: a canary beside the home, the home's own secrets, the system's."""
    return [
        str(outside / "canary"),
        str(home / "lodestep.db"),
        str(home / "secrets" / "gold" / "key"),
        "/etc/passwd",
        "/proc/self/environ",
        "/dev/zero",
    ]


def uris(root: Path, outside: Path, home: Path) -> list[str]:
    """URIs that seem to lie below `root`, or name a place outside in so many words. None of them lies inside."""
    found: list[str] = []
    targets = places(outside, home)
    for template in _SCHEMES:
        found += [template.format(path=path) for path in targets[:4]]
    for up in _UPS:
        for separator in _SEPARATORS:
            climb = separator.join([up] * (len(root.parts) + 2))
            found.append(f"file://{root}/run{separator}{climb}{outside}/canary")
    for up in ("..", "%2e%2e", "..%2f..", "%2e%2e%2f%2e%2e"):
        for prefix in (f"{root}/", f"file://{root}/", f"file://localhost{root}/run/", f"{root}/link-out/"):
            found.append(f"{prefix}{up}/{up}/{outside.name}/canary")
    for name in (
        "link-out/canary",
        "link-file",
        "link-home/lodestep.db",
        "link-root/etc/passwd",
        "link-up/canary",
        "fifo",
    ):
        found += [f"{root}/{name}", f"file://{root}/{name}", f"file://{root}/run/%2e%2e/{name}"]
    found += targets + [f"file://{path}" for path in targets]
    found += [*_ODD, *_ODD_LONG]
    return list(dict.fromkeys(found))


def names(outside: Path) -> list[str]:
    """Names that are pieces of a path, for where one name is expected: no URI among them."""
    found: list[str] = [*_ODD, *_ODD_LONG]
    climbs = [separator.join([up] * 9) for up in _UPS for separator in _SEPARATORS]
    found += [f"{climb}{outside}/canary" for climb in climbs]
    found += [f"x/{climb}" for climb in climbs[:60]]
    found += [
        str(outside / "canary"),
        f"{outside}/",
        "../secrets/gold/key",
        "..",
        "../..",
        "./..",
        ".hidden",
        "gold/key",
    ]
    return list(dict.fromkeys(found))
