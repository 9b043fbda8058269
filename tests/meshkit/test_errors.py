"""The error table."""

import grpc
import pytest

from meshkit import errors


@pytest.mark.parametrize(
    ("error", "status", "http_status", "text"),
    [
        (
            errors.InvalidInput("pairs", "x", "BASE-QUOTE"),
            "INVALID_ARGUMENT",
            400,
            "pairs: found 'x', allowed: BASE-QUOTE",
        ),
        (errors.NotFound("feed", "X"), "NOT_FOUND", 404, "no feed 'X'"),
        (errors.AlreadyExists("job", "X"), "ALREADY_EXISTS", 409, "job 'X' exists already"),
        (errors.FailedPrecondition("stopping"), "FAILED_PRECONDITION", 409, "stopping"),
        (errors.PermissionDenied("no"), "PERMISSION_DENIED", 403, "no"),
        (errors.RateLimited(1500), "RESOURCE_EXHAUSTED", 429, "rate limited, retry after 1500 ms"),
        (errors.Unavailable("down"), "UNAVAILABLE", 503, "down"),
        (errors.DeadlineExceeded("late"), "DEADLINE_EXCEEDED", 504, "late"),
        (errors.Internal("bug"), "INTERNAL", 500, "bug"),
    ],
)
def test_table(error: errors.MeshError, status: str, http_status: int, text: str) -> None:
    """Each class has its gRPC status, its HTTP status and says what happened."""
    assert (grpc.StatusCode[status], http_status, text) == (error.status, error.http_status, str(error))


def test_metadata_has_the_fields() -> None:
    """The fields of an error travel as text."""
    assert errors.InvalidInput("nodes", 3, "5").metadata == {"field": "nodes", "found": "3", "allowed": "5"}
