"""
Compare protos/ with what stood there before: what was released, else what main has; buf says what breaks callers.

The base is the last tag that the commit descends from. Without one it is where the branch left main; on main itself the
commit before. A clone that has none of these, such as a shallow one, cannot be compared, and that is said.

    python -m scripts.checks.proto_compatibility
"""

import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

from scripts.checks.report import ROOT

_NPM_BUF: Final = Path("node_modules/@bufbuild/buf-linux-x64/bin/buf")
_MAINS: Final = ("main", "origin/main")


def base(root: Path) -> tuple[str, str] | None:
    """Return the commit to compare with, and in words what it is; None if this clone has none."""
    if tag := _git(root, "describe", "--tags", "--abbrev=0"):
        return tag, f"tag {tag}"
    head = _git(root, "rev-parse", "HEAD")
    for main in _MAINS:
        fork = _git(root, "merge-base", "HEAD", main)
        if fork and fork != head:
            return fork, f"where this left {main}"
        if fork and (before := _git(root, "rev-parse", "--verify", "HEAD^")):
            return before, f"the commit before, as this is {main}"
    return None


def why_not(root: Path) -> str:
    """Return why there is nothing to compare with, and what to do."""
    if not _git(root, "rev-parse", "HEAD"):
        return "this is no git checkout with a commit"
    if _git(root, "rev-parse", "--is-shallow-repository") == "true":
        return "this clone is shallow; `git fetch --unshallow --tags` brings the history"
    return "there is neither a tag, nor main, nor an earlier commit; `git fetch origin main:main` brings main"


def _git(root: Path, *arguments: str) -> str:
    """Return what git says, empty if it refuses."""
    ran = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    return ran.stdout.strip() if ran.returncode == 0 else ""


def compare(root: Path, buf: str, commit: str) -> int:
    """Let buf compare the files of today with those of a commit; return its exit code."""
    command = ["git", "archive", commit, "--", "protos", "buf.yaml"]
    archive = subprocess.run(command, cwd=root, capture_output=True, check=False)
    if archive.returncode != 0:
        print(archive.stderr.decode().strip())
        return 1
    with tempfile.TemporaryDirectory() as earlier:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(earlier, filter="data")
        return subprocess.run([buf, "breaking", "--against", earlier], cwd=root, check=False).returncode


def main(root: Path) -> int:
    """Compare, say with what, and return the exit code."""
    buf = str(root / _NPM_BUF) if (root / _NPM_BUF).exists() else shutil.which("buf")
    if buf is None:
        print("buf not found")
        return 1
    found = base(root)
    if found is None:
        print(f"protos/ is compared with nothing: {why_not(root)}")
        return 0
    commit, words = found
    print(f"protos/ is compared with {commit[:12]}, {words}")
    return compare(root, buf, commit)


if __name__ == "__main__":
    sys.exit(main(ROOT))
