"""The last good answers of a job's bridges."""

from meshkit.clock import ManualClock
from services.oracle.pipeline.last_answers import KeptAnswer, LastAnswers


def test_age() -> None:
    """An answer is there until it is older than allowed; after the clock was set back nobody knows its age."""
    clock = ManualClock(1_000_000)
    answers = LastAnswers(clock)
    answers.remember("x", b"request", "7")
    clock.advance(5)
    assert "7" == answers.recall("x", b"request", 5)
    clock.advance(0.001)
    assert answers.recall("x", b"request", 5) is None

    earlier = LastAnswers(ManualClock(0), answers.take_changed())
    assert earlier.recall("x", b"request", 1e9) is None


def test_task_and_request() -> None:
    """An answer is that of one task to one request, and only the newest one."""
    answers = LastAnswers(ManualClock())
    answers.remember("x", b"one", "1")
    answers.remember("x", b"two", "2")

    assert (None, "2", None) == (
        answers.recall("x", b"one", 1),
        answers.recall("x", b"two", 1),
        answers.recall("y", b"two", 1),
    )


def test_changes() -> None:
    """What is new since the last question is told once; what was kept from an earlier run is not new."""
    answers = LastAnswers(ManualClock(), {"y": KeptAnswer(b"", 0, "1")})
    answers.remember("x", b"one", "1")
    answers.remember("x", b"one", "2")

    assert {"x": "2"} == {task: kept.body for task, kept in answers.take_changed().items()}
    assert {} == answers.take_changed()
