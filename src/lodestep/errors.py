"""The errors that callers may meet, and what each means on the wire and on the command line.

    LodestepError                 base: code, message, hint, place
    ├─ InvalidInput               400, exit 2   what the caller sent is wrong; `place` says where
    ├─ NotFound                   404, exit 1
    ├─ AlreadyExists              409, exit 1
    ├─ FailedPrecondition         400, exit 1   right request, wrong moment
    ├─ PermissionDenied           403, exit 1
    ├─ Unauthenticated            401, exit 1
    ├─ TooLarge                   413, exit 2   a limit was passed; the message names both numbers
    ├─ Conflict                   409, exit 1   lost a race; may be tried again
    ├─ Unavailable                503, exit 1   a backend is away or full; may be tried again
    ├─ Unimplemented              501, exit 1   a part of the API that this version does not have
    └─ InvariantError             500, exit 70  our bug; carries the story

A user's failing task is no exception: it is a `Failure` value (`core.model`). Messages say what was found and what
was expected, in lower case without a full stop; `hint` says what to do.
"""

from typing import ClassVar


class LodestepError(Exception):
    """Base of every error that Lodestep raises on purpose.

    `grpc_code` is the number of the canonical RPC status, which Kubeflow Pipelines puts into its error bodies.
    """

    http_status: ClassVar[int] = 500
    grpc_code: ClassVar[int] = 13
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "", place: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.place = place

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.message}{hint}"


class InvalidInput(LodestepError):
    http_status = 400
    grpc_code = 3
    exit_code = 2


class NotFound(LodestepError):
    http_status = 404
    grpc_code = 5


class AlreadyExists(LodestepError):
    http_status = 409
    grpc_code = 6


class FailedPrecondition(LodestepError):
    http_status = 400
    grpc_code = 9


class PermissionDenied(LodestepError):
    http_status = 403
    grpc_code = 7


class Unauthenticated(LodestepError):
    http_status = 401
    grpc_code = 16


class TooLarge(LodestepError):
    http_status = 413
    grpc_code = 3
    exit_code = 2


class Conflict(LodestepError):
    http_status = 409
    grpc_code = 10


class Unavailable(LodestepError):
    http_status = 503
    grpc_code = 14


class Unimplemented(LodestepError):
    http_status = 501
    grpc_code = 12


class InvariantError(LodestepError):
    """A state that must not exist was met. The run is parked; the server lives."""

    exit_code = 70
