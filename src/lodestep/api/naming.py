"""What names and tags may be: lengths and characters, as the reference limits them."""

from lodestep.errors import InvalidInput

_EXPERIMENT_CHARS = 128
_PIPELINE_CHARS = 128
_VERSION_CHARS = 127
_RUN_CHARS = 255
_TAGS = 20
_TAG_CHARS = 63


def experiment_name(name: str) -> str:
    return _checked(name, "experiment", _EXPERIMENT_CHARS, "display_name")


def pipeline_name(name: str, *, place: str = "name") -> str:
    return _checked(name, "pipeline", _PIPELINE_CHARS, place)


def version_name(name: str, *, place: str = "name") -> str:
    return _checked(name, "pipeline version", _VERSION_CHARS, place)


def run_name(name: str) -> str:
    return _checked(name, "run", _RUN_CHARS, "display_name")


def _checked(name: str, noun: str, limit: int, place: str) -> str:
    if not name.strip():
        raise InvalidInput(f"the {noun} has no name", place=place)
    if len(name) > limit:
        raise InvalidInput(f"the name of the {noun} has {len(name)} characters: at most {limit}", place=place)
    if any(ord(char) < 32 or ord(char) == 127 for char in name):
        raise InvalidInput(f"the name of the {noun} holds a control character: {name!r}", place=place)
    return name


def check_tags(tags: dict[str, str]) -> None:
    if len(tags) > _TAGS:
        raise InvalidInput(f"{len(tags)} tags: at most {_TAGS}", place="tags")
    for key, value in tags.items():
        if not key or "." in key:
            raise InvalidInput(f"{key!r} is no tag: expected a key without dots", place="tags")
        if len(key) > _TAG_CHARS or len(value) > _TAG_CHARS:
            raise InvalidInput(f"the tag {key[:80]!r} is too long: at most {_TAG_CHARS} characters", place="tags")
