"""
The errors that may cross a process boundary, and the one table of how they do.

    MeshError
    ├── InvalidInput         a field has a value that is not allowed
    ├── NotFound             a named thing does not exist
    ├── AlreadyExists        a named thing exists already
    ├── FailedPrecondition   the system's state does not allow it now, retrying alone will not help
    ├── PermissionDenied     the caller may not do it
    ├── RateLimited          too much was asked for; says when to come back
    ├── Unavailable          it does not work now, a retry may
    ├── DeadlineExceeded     it took longer than allowed
    └── Internal             a defect of ours

A package derives its own errors from these. The class decides the gRPC and the HTTP status; `reason` and `metadata`
travel in `google.rpc.ErrorInfo`. gRPC is imported only where an error crosses: who speaks with nobody can fail too.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    import grpc

StatusName = Literal[
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "FAILED_PRECONDITION",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "UNIMPLEMENTED",
    "INTERNAL",
]

DOMAIN = "feedmesh"


class MeshError(Exception):
    """The root of all errors that a caller in another process may see."""

    reason: ClassVar[str] = "INTERNAL"
    status_name: ClassVar[StatusName] = "INTERNAL"
    http_status: ClassVar[int] = 500

    @property
    def status(self) -> "grpc.StatusCode":
        """Return the gRPC status of the class."""
        import grpc

        return grpc.StatusCode[self.status_name]

    @property
    def metadata(self) -> dict[str, str]:
        """Return the error's fields as text, in the order they were set; private ones are left out."""
        return {name: str(value) for name, value in vars(self).items() if not name.startswith("_")}


class _Message(MeshError):
    """An error that has nothing but a text."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class InvalidInput(MeshError):
    """A field has a value that is not allowed."""

    reason = "INVALID_INPUT"
    status_name: ClassVar[StatusName] = "INVALID_ARGUMENT"
    http_status = 400

    def __init__(self, field: str, found: object, allowed: str) -> None:
        super().__init__(field, found, allowed)
        self.field = field
        self.found = found
        self.allowed = allowed

    def __str__(self) -> str:
        return f"{self.field}: found {self.found!r}, allowed: {self.allowed}"


class NotFound(MeshError):
    """A named thing does not exist."""

    reason = "NOT_FOUND"
    status_name: ClassVar[StatusName] = "NOT_FOUND"
    http_status = 404

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(kind, name)
        self.kind = kind
        self.name = name

    def __str__(self) -> str:
        return f"no {self.kind} {self.name!r}"


class AlreadyExists(MeshError):
    """A named thing exists already."""

    reason = "ALREADY_EXISTS"
    status_name: ClassVar[StatusName] = "ALREADY_EXISTS"
    http_status = 409

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(kind, name)
        self.kind = kind
        self.name = name

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r} exists already"


class FailedPrecondition(_Message):
    """The system's state does not allow it now, and retrying alone will not help."""

    reason = "FAILED_PRECONDITION"
    status_name: ClassVar[StatusName] = "FAILED_PRECONDITION"
    http_status = 409


class PermissionDenied(_Message):
    """The caller may not do it."""

    reason = "PERMISSION_DENIED"
    status_name: ClassVar[StatusName] = "PERMISSION_DENIED"
    http_status = 403


class RateLimited(MeshError):
    """Too much was asked for."""

    reason = "RATE_LIMITED"
    status_name: ClassVar[StatusName] = "RESOURCE_EXHAUSTED"
    http_status = 429

    def __init__(self, retry_after_ms: int) -> None:
        super().__init__(retry_after_ms)
        self.retry_after_ms = retry_after_ms

    def __str__(self) -> str:
        return f"rate limited, retry after {self.retry_after_ms} ms"


class Unavailable(_Message):
    """It does not work now; a retry may."""

    reason = "UNAVAILABLE"
    status_name: ClassVar[StatusName] = "UNAVAILABLE"
    http_status = 503


class DeadlineExceeded(_Message):
    """It took longer than allowed."""

    reason = "DEADLINE_EXCEEDED"
    status_name: ClassVar[StatusName] = "DEADLINE_EXCEEDED"
    http_status = 504


class Internal(_Message):
    """A defect of ours."""
