"""Stop when the starting program dies."""

import os

import pytest

from meshkit.errors import FailedPrecondition
from services.supervisor.parent import VARIABLE, die_with_parent


def test_a_parent_that_is_gone_already() -> None:
    """A pid that is not our parent's means that it died before we asked for its death."""
    with pytest.raises(FailedPrecondition, match="the process 1000000 that wanted this supervisor is gone"):
        die_with_parent({VARIABLE: "1000000"})


def test_without_the_variable_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A supervisor that was started by hand lives on after its shell."""
    monkeypatch.setattr(os, "getppid", lambda: pytest.fail("looked for its parent"))
    die_with_parent({"PATH": ""})
