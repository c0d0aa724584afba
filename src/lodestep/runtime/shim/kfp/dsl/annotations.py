"""How a component says what its parameters are: `Input[Dataset]`, `OutputPath(str)` and their kin."""

import types
import typing
from typing import Annotated

_UNIONS = (typing.Union, getattr(types, "UnionType", typing.Union))


class InputAnnotation:
    """Marks an input artifact."""


class OutputAnnotation:
    """Marks an output artifact."""


class EmbeddedAnnotation:
    """Marks an artifact that the component carries in itself."""


_T = typing.TypeVar("_T")
Input = Annotated[_T, InputAnnotation]
Output = Annotated[_T, OutputAnnotation]
EmbeddedInput = Annotated[_T, EmbeddedAnnotation]


class _Path:
    def __init__(self, type=None):
        self.type = type

    def __eq__(self, other):
        return isinstance(other, self.__class__) and self.type == other.type

    def __hash__(self):
        return hash((self.__class__, str(self.type)))


class InputPath(_Path):
    """The path of an input artifact."""


class OutputPath(_Path):
    """The path that an output parameter or artifact is to be written to."""


def _markers(annotation):
    return getattr(annotation, "__metadata__", ())


def is_output(annotation):
    return OutputAnnotation in _markers(annotation)


def is_embedded(annotation):
    return EmbeddedAnnotation in _markers(annotation)


def _inner(annotation):
    return typing.get_args(annotation)[0] if _markers(annotation) else annotation


def is_list(annotation):
    """`List[Dataset]`, bare or as an input."""
    return typing.get_origin(_inner(annotation)) is list and artifact_class(annotation) is not None


def is_artifact(annotation):
    """An artifact or a list of them, bare or marked."""
    return bool(_markers(annotation)) or artifact_class(annotation) is not None


def artifact_class(annotation):
    """The artifact class that an annotation speaks of; None where it speaks of none."""
    inner = _inner(annotation)
    while typing.get_origin(inner) is list and typing.get_args(inner):
        inner = typing.get_args(inner)[0]
    if isinstance(inner, type) and hasattr(inner, "schema_title") and hasattr(inner, "schema_version"):
        return inner
    return None


def without_optional(annotation):
    """`T` of `Optional[T]` and `T | None`."""
    if typing.get_origin(annotation) in _UNIONS:
        rest = [each for each in typing.get_args(annotation) if each is not type(None)]
        if len(rest) == 1:
            return rest[0]
    return annotation
