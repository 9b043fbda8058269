"""What `feedmesh version` tells."""

import hashlib
import json
from pathlib import Path

import pytest

from cli.image import version


@pytest.fixture(name="package")
def _package(tmp_path: Path) -> Path:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/x.py").write_text("one = 1\n")
    (tmp_path / "a/b/y.json").write_text("{}")
    return tmp_path / "a"


def test_the_digest_is_what_sha256sum_would_make(package: Path) -> None:
    """The lines of `sha256sum`, named from the package on and sorted by name, have this digest."""
    lines = b"".join(
        f"{hashlib.sha256((package / name).read_bytes()).hexdigest()}  a/{name}\n".encode()
        for name in ("b/y.json", "x.py")
    )
    expected = "sha256:" + hashlib.sha256(lines).hexdigest()

    assert expected == version.code_digest({"a": [package]})


@pytest.mark.parametrize("change", ["content", "name", "more", "less"])
def test_every_change_of_the_code_is_seen(package: Path, change: str) -> None:
    """Another content, name, a file more or less give another digest; what is compiled or no code gives none."""
    before = version.code_digest({"a": [package]})
    (package / "__pycache__").mkdir()
    (package / "__pycache__/x.cpython-311.pyc").write_bytes(b"anything")
    (package / "README.md").touch()
    (package / "b/test").mkdir()
    (package / "b/test/stub.json").write_text("{}")
    assert before == version.code_digest({"a": [package]})

    changed = package / "x.py"
    if change == "content":
        changed.write_text("one = 2\n")
    elif change == "name":
        changed.rename(package / "z.py")
    elif change == "more":
        (package / "b/__init__.py").touch()
    else:
        changed.unlink()
    assert before != version.code_digest({"a": [package]})


def test_every_package_of_ours_is_found() -> None:
    """All packages of the wheel are looked at, the generated one included, each with code in it."""
    found = version.directories()

    assert {"chainlink", "cli", "feedmesh", "meshkit", "services"} == set(found)
    assert all(any(place.rglob("*.py")) for places in found.values() for place in places)


def test_the_commit_is_what_the_build_has_left(tmp_path: Path) -> None:
    """Of an image the commit is the one that its build was told."""
    (tmp_path / "build.json").write_text(json.dumps({"commit": "abc"}))

    assert "abc" == version.commit(tmp_path)


def test_code_may_lie_just_below_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code without a build's file and without a repository has no commit, wherever it lies."""
    monkeypatch.setattr(version, "__file__", "/no-such-code/cli/image/version.py")

    assert "" == version.commit()
