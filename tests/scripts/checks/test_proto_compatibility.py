"""With what the definitions are compared, in clones of every kind."""

import subprocess
from pathlib import Path

import pytest

from scripts.checks.proto_compatibility import base, why_not


def git(place: Path, *arguments: str) -> str:
    """Run git and return what it says."""
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=place, check=True, capture_output=True, text=True).stdout.strip()


def commit(place: Path, name: str) -> str:
    """Commit a file of this name and return the commit."""
    (place / name).write_text(name)
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "--message", name)
    return git(place, "rev-parse", "HEAD")


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """Return a repository whose main has two commits."""
    place = tmp_path / "origin"
    place.mkdir()
    git(place, "init", "--quiet", "--initial-branch", "main")
    commit(place, "one")
    commit(place, "two")
    return place


def clone(origin: Path, *arguments: str) -> Path:
    """Return a new clone."""
    place = origin.parent / "clone"
    git(origin.parent, "clone", "--quiet", *arguments, f"file://{origin}", str(place))
    return place


def test_a_tag_is_what_callers_have(origin: Path) -> None:
    """What was released last counts, also many commits later."""
    git(origin, "tag", "v1")
    commit(origin, "three")
    assert ("v1", "tag v1") == base(origin)


def test_a_branch_is_compared_with_where_it_left_main(origin: Path) -> None:
    """What main got since then is no break of the branch's."""
    fork = git(origin, "rev-parse", "HEAD")
    git(origin, "checkout", "--quiet", "-b", "branch")
    commit(origin, "mine")
    git(origin, "checkout", "--quiet", "main")
    commit(origin, "theirs")
    git(origin, "checkout", "--quiet", "branch")
    assert (fork, "where this left main") == base(origin)


def test_main_is_compared_with_the_commit_before(origin: Path) -> None:
    """A fresh clone has main only."""
    place = clone(origin)
    assert (git(origin, "rev-parse", "HEAD^"), "the commit before, as this is main") == base(place)


def test_a_clone_of_a_branch_knows_main_by_its_origin(origin: Path) -> None:
    """Continuous integration checks out the branch only."""
    fork = git(origin, "rev-parse", "HEAD")
    git(origin, "checkout", "--quiet", "-b", "branch")
    commit(origin, "mine")
    assert (fork, "where this left origin/main") == base(clone(origin, "--branch", "branch"))


def test_a_shallow_clone_says_so(origin: Path) -> None:
    """One commit without history cannot be compared, and what helps is told."""
    place = clone(origin, "--depth", "1")
    assert base(place) is None
    assert "git fetch --unshallow" in why_not(place)


def test_a_first_commit_and_no_repository_say_so(tmp_path: Path) -> None:
    """Without any earlier state, or without git's, there is nothing to compare with."""
    assert base(tmp_path) is None
    assert "no git checkout" in why_not(tmp_path)
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    commit(tmp_path, "one")
    assert base(tmp_path) is None
    assert "git fetch origin main:main" in why_not(tmp_path)
