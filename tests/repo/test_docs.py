"""The reference pages say what the code says."""

import re

import msgspec

from lodestep import config, failpoint
from lodestep.cli.lazy import LazyGroup
from lodestep.cli.root import cli
from lodestep.core.model import FailureKind
from lodestep.core.states import AttemptStatus, RunStatus, SkipReason, TaskStatus
from tests.repo import help_pages
from tests.repo.places import ROOT

DOCS = ROOT / "docs"


def test_cli_page_is_the_help() -> None:
    assert help_pages.PATH.read_text() == help_pages.page(), "write it anew: python -m tests.repo.help_pages"


def test_help_lines_are_those_of_the_commands() -> None:
    """The list of commands is shown without importing them, from lines of its own."""
    assert isinstance(cli, LazyGroup)
    for name, command in help_pages.commands():
        if name in cli.entries:
            assert command.get_short_help_str(limit=100) == cli.entries[name].line, name


def test_every_setting_is_documented_with_its_default() -> None:
    page = (DOCS / "settings.md").read_text()
    for prefix, kind in (("", config.Settings), ("limits.", config.Limits), ("runner.", config.RunnerSettings)):
        for field in msgspec.structs.fields(kind):
            if field.name in ("limits", "runner"):
                continue
            row = re.search(rf"^\| `{re.escape(prefix + field.name)}` \| `(.*?)` \|", page, re.MULTILINE)
            assert row, f"docs/settings.md has no row for {prefix}{field.name}"
            default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()  # type: ignore[misc]
            assert row[1] == _toml(default), f"{prefix}{field.name}: the default is {_toml(default)}"


def test_settings_page_invents_nothing() -> None:
    page = (DOCS / "settings.md").read_text()
    known = {
        prefix + field.name
        for prefix, kind in (("", config.Settings), ("limits.", config.Limits), ("runner.", config.RunnerSettings))
        for field in msgspec.structs.fields(kind)
    }
    for name in re.findall(r"^\| `([a-z_.]+)` \|", page, re.MULTILINE):
        assert name in known, f"there is no setting {name}"


def test_every_limit_is_in_the_list_of_limits() -> None:
    page = (DOCS / "limits.md").read_text()
    for field in msgspec.structs.fields(config.Limits):
        assert f"`limits.{field.name}`" in page


def test_every_state_is_documented() -> None:
    page = (DOCS / "states.md").read_text()
    for state in (*RunStatus, *TaskStatus, *AttemptStatus, *SkipReason):
        assert f"`{state}`" in page, f"docs/states.md does not mention {state}"


def test_every_kind_of_failure_is_documented() -> None:
    page = (DOCS / "failures.md").read_text()
    for kind in FailureKind:
        assert f"`{kind}`" in page, f"docs/failures.md does not mention {kind}"


def test_every_fail_point_is_passed_somewhere() -> None:
    source = "\n".join(
        path.read_text() for path in (ROOT / "src" / "lodestep").rglob("*.py") if path.name != "failpoint.py"
    )
    for name in failpoint.POINTS:
        assert f'failpoint.hit("{name}")' in source, f"the fail point {name} is passed nowhere"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    return str(value)
