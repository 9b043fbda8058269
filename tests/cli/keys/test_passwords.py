"""Where passwords come from."""

import getpass
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.errors import CliError, UsageError
from cli.keys import passwords


@pytest.fixture(name="typed")
def _typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Give a list of what is typed on a terminal, one after the other."""
    answers: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        patched.setattr(getpass, "getpass", lambda _: answers.pop(0))
        yield answers


def test_a_password_is_the_first_line_of_a_file(tmp_path: Path) -> None:
    """White space is part of it, the end of the line is not."""
    path = tmp_path / "password"
    path.write_text(" two words \nanother line\n")

    assert " two words " == passwords.read(path, "the backup")


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\n", b"short\n"])
def test_a_file_without_a_good_password_is_refused(tmp_path: Path, content: bytes) -> None:
    """Nothing, no text, or too little is an error that says so and never shows it."""
    path = tmp_path / "password"
    path.write_bytes(content)
    with pytest.raises(CliError) as caught:
        passwords.read(path, "the backup", least_length=12)

    assert "short" not in str(caught.value)


def test_a_new_password_is_typed_twice(typed: list[str]) -> None:
    """The same twice is taken, two that differ are refused; one that is known is asked for once."""
    typed += ["a long password", "a long password", "a long password", "a lang password", "known"]

    assert "a long password" == passwords.read(None, "the backup", twice=True, least_length=12)
    with pytest.raises(CliError, match="differ"):
        passwords.read(None, "the backup", twice=True)
    assert "known" == passwords.read(None, "the backup")


def test_bytes_that_are_no_text_are_refused(typed: list[str]) -> None:
    """What a terminal gives that is no UTF-8 cannot be typed on another one."""
    typed.append("pass\udcffword")
    with pytest.raises(UsageError, match="UTF-8"):
        passwords.read(None, "the backup")
