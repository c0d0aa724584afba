"""Texts that must not drift: version and changelog, links, words, what does not belong into the project."""

import re
import tomllib
from pathlib import Path

import pytest

from lodestep import __version__
from tests.repo.places import PACKAGE, ROOT, shown, tracked

TEXTS = (".py", ".md", ".toml", ".yaml", ".yml", ".sql", ".sh", "Makefile", "run", ".lock", ".txt")
# Spelled in halves, so that this file does not hold what it looks for.
FOREIGN = ["/" + "work/", "/tmp/" + "brief", "kfp" + "-map", "design" + ".md", "pypi" + ".org", "pythonhosted" + ".org"]
NAMES_TO_AVOID = {"manager", "helper", "helpers", "util", "utils", "common", "misc"}


def test_version_has_one_truth() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
    changelog = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## \[?([0-9][^\]\s]*)", changelog, re.MULTILINE)
    assert versions[0] == __version__, "the changelog's newest version is another"


@pytest.mark.parametrize("path", tracked(*TEXTS), ids=shown)
def test_nothing_of_this_machine_is_in_the_project(path: Path) -> None:
    text = path.read_text()
    found = [word for word in FOREIGN if word in text]
    assert not found, f"{shown(path)} mentions {found}"


def test_names_say_what_things_are() -> None:
    for path in PACKAGE.rglob("*.py"):
        words = set(re.split(r"[_.]", path.stem))
        assert not words & NAMES_TO_AVOID, f"{shown(path)}: say what it is for"


@pytest.mark.parametrize("path", tracked(".md"), ids=shown)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if re.match(r"[a-z]+:", target) or target.startswith("#"):
            continue
        assert (path.parent / target.partition("#")[0]).exists(), f"{shown(path)} links to {target}, which is not there"


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    for page in (ROOT / "docs").rglob("*.md"):
        if page.name != "index.md":
            assert str(page.relative_to(ROOT / "docs")) in index, f"docs/index.md does not lead to {shown(page)}"
