"""Where the program cannot be built, one line says why; where a checkout is given, it is taken."""

from pathlib import Path

import pytest

from tests.interop.program import LIBOCR, SETTING, SOURCE, Unavailable, build


def pretend(directory: Path, script: str) -> None:
    """Write a program that is called go."""
    program = directory / "go"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.fixture(name="path")
def _path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty directory that is the first of PATH."""
    path = tmp_path / "bin"
    path.mkdir()
    monkeypatch.setenv("PATH", f"{path}:/bin")
    monkeypatch.delenv(SETTING, raising=False)
    return path


def test_no_go(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Go there is no program."""
    monkeypatch.setenv("PATH", str(path))

    with pytest.raises(Unavailable, match=r"^no Go on PATH$"):
        build(tmp_path)


def test_no_module(path: Path, tmp_path: Path) -> None:
    """What Go says when the module cannot be had becomes one line, with the way out."""
    pretend(path, "printf 'go: reading\\n\\t403 Forbidden\\n' >&2; exit 1")

    with pytest.raises(Unavailable) as caught:
        build(tmp_path)

    assert f"Go cannot download {LIBOCR} (set {SETTING} to a checkout of it): go: reading 403 Forbidden" == str(
        caught.value
    )


def test_checkout(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout replaces the module, nothing is downloaded, and the repository's own files stay as they are."""
    pretend(path, f'echo "$@" >> {tmp_path}/calls')
    monkeypatch.setenv(SETTING, str(tmp_path / "libocr"))
    before = (SOURCE / "go.mod").read_text()
    build(tmp_path)

    assert [f"build -modfile={tmp_path}/go.mod -o {tmp_path}/interop ."] == (
        tmp_path / "calls"
    ).read_text().splitlines()
    assert f"{before}\nreplace {LIBOCR} => {tmp_path}/libocr\n" == (tmp_path / "go.mod").read_text()
    assert before == (SOURCE / "go.mod").read_text()


def test_broken_program(path: Path, tmp_path: Path) -> None:
    """A program that does not compile is a failure, not a reason to skip."""
    pretend(path, '[ "$1" = mod ] || { echo undefined: x >&2; exit 1; }')

    with pytest.raises(AssertionError, match="undefined: x"):
        build(tmp_path)
