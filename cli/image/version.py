"""`feedmesh version`: what runs here, so that it can be compared with what was meant to."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata, util
from pathlib import Path
from typing import Final

from cli.json_output import print_json

# What the image's build leaves beside the environment.
BUILD_FILE: Final = "build.json"
_PACKAGES: Final = ("chainlink", "cli", "feedmesh", "meshkit", "services")
_SUFFIXES: Final = frozenset({".py", ".json"})


def show(as_json: bool) -> None:
    """Print version, commit and the digest of the code."""
    found = {"version": metadata.version("feedmesh"), "commit": commit(), "code": code_digest(directories())}
    if as_json:
        print_json(found)
    else:
        print(f"feedmesh {found['version']}\ncommit   {found['commit'] or 'unknown'}\ncode     {found['code']}")


def commit(prefix: Path | None = None) -> str:
    """Return the commit that the image was built from, or the checkout's; empty if neither is known."""
    code = Path(__file__).parents[2]
    build = (prefix or Path(sys.prefix)) / BUILD_FILE
    if build.is_file():
        return str(json.loads(build.read_text())["commit"])
    if not (code / ".git").exists():
        return ""
    # What is not committed is seen in the digest of the code.
    command = ["git", "-C", str(code), "rev-parse", "HEAD"]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    except FileNotFoundError:
        return ""
    return ran.stdout.strip()


def directories() -> dict[str, list[Path]]:
    """Return where the packages that this process would import lie."""
    found = {}
    for name in _PACKAGES:
        spec = util.find_spec(name)
        assert spec is not None, "the command itself is one of them"
        found[name] = [Path(path) for path in spec.submodule_search_locations or ()]
    return found


def code_digest(packages: dict[str, list[Path]]) -> str:
    """
    Return `sha256:` and a digest of all code of the packages, the same for a checkout and for an image made of it.

    It is that of the lines which `sha256sum` prints for the Python and JSON files, named from the package on, in the
    order of their names as bytes; without directories named `test`, which an image does not have.
    """
    lines = sorted(_lines(packages), key=lambda line: line[66:])
    return "sha256:" + hashlib.sha256(b"".join(lines)).hexdigest()


def _lines(packages: dict[str, list[Path]]) -> Iterator[bytes]:
    for name, places in packages.items():
        for place in places:
            for path in place.rglob("*"):
                if path.suffix in _SUFFIXES and "test" not in path.relative_to(place).parts and path.is_file():
                    digest = hashlib.sha256(path.read_bytes()).hexdigest()
                    yield f"{digest}  {name}/{path.relative_to(place).as_posix()}\n".encode()
