"""The Go program of this directory, built against the real libocr."""

import os
import shutil
import subprocess
from pathlib import Path

SETTING = "FEEDMESH_LIBOCR"
LIBOCR = "github.com/smartcontractkit/libocr"
SOURCE = Path(__file__).parent / "program"
_DOWNLOAD_S = 120
_BUILD_S = 600


class Unavailable(Exception):
    """The program cannot be built on this machine; the text is one line that says why."""


def build(directory: Path) -> Path:
    """
    Build the program into a directory, and return its path.

    The library is the module that go.mod names, or the checkout at the path in FEEDMESH_LIBOCR.

    Raises:
        Unavailable: when there is no Go, or no module.
    """
    if shutil.which("go") is None:
        raise Unavailable("no Go on PATH")
    # Go writes to the files of a module; the ones of the repository must stay what they are.
    modules = directory / "go.mod"
    for name in ("go.mod", "go.sum"):
        shutil.copyfile(SOURCE / name, directory / name)
    if checkout := os.environ.get(SETTING):
        with modules.open("a") as file:
            file.write(f"\nreplace {LIBOCR} => {Path(checkout).resolve()}\n")
    else:
        _download(modules)
    program = directory / "interop"
    done = _go(_BUILD_S, "build", f"-modfile={modules}", "-o", str(program), ".")
    assert 0 == done.returncode, done.stderr
    return program


def _download(modules: Path) -> None:
    try:
        done = _go(_DOWNLOAD_S, "mod", "download", f"-modfile={modules}", LIBOCR)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"Go cannot download {LIBOCR}: no answer in {_DOWNLOAD_S} s") from None
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise Unavailable(f"Go cannot download {LIBOCR} (set {SETTING} to a checkout of it): {said}")


def _go(timeout_s: float, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ("go", *arguments), cwd=SOURCE, capture_output=True, text=True, timeout=timeout_s, check=False
    )
