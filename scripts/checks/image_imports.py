"""
Import every program of the product from exactly the files that the Dockerfile copies, and from its packages only.

The files are laid out in a directory of their own; where the Dockerfile makes a wheel of them, the wheel is made and
unpacked. Then a clean interpreter imports each package that has a `__main__`, first that and then all its modules, with
the environment's packages but neither the checkout nor what only developers have.

    python -m scripts.checks.image_imports
"""

import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath
from typing import Final

from scripts.checks.report import ROOT, end

# Runs with -I and -S: neither variables nor .pth files, of which one leads to the checkout.
_PROGRAM: Final = """
import importlib, importlib.metadata, pkgutil, sys
root, site, lock, package = sys.argv[1:]
sys.path[:0] = [root, root + "/gen"]
sys.path.append(site)
pinned = {line.partition("==")[0].lower() for line in open(lock) if "==" in line}
folded = lambda name: name.lower().replace("_", "-").replace(".", "-")
hidden = {
    top
    for top, owners in importlib.metadata.packages_distributions().items()
    if top not in sys.modules and not pinned & set(map(folded, owners)) and owners != ["feedmesh"]
}

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"{name} is of no package in requirements.lock", name=name)

sys.meta_path.insert(0, Hide())
importlib.import_module(package + ".__main__")
for found in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
    if not found.name.endswith(".__main__"):
        importlib.import_module(found.name)
"""


def copies(dockerfile: str) -> Iterator[tuple[list[str], str]]:
    """Yield sources and destination of each COPY from the checkout, as they stand in a Dockerfile."""
    joined = re.sub(r"\\\n\s*", " ", dockerfile)
    for line in joined.splitlines():
        words = line.split()
        if words[:1] == ["COPY"] and not any(word.startswith("--from=") for word in words):
            *sources, destination = [word for word in words[1:] if not word.startswith("--")]
            yield sources, destination


def lay_out(root: Path, dockerfile: str, target: Path) -> None:
    """Copy what the Dockerfile copies, below the target as if that were its working directory."""
    for sources, destination in copies(dockerfile):
        if PurePath(destination).is_absolute():
            continue
        for source in sources:
            found = root / source
            is_folder = destination.endswith("/") or len(sources) > 1
            goal = target / destination / found.name if is_folder and found.is_file() else target / destination
            goal.parent.mkdir(parents=True, exist_ok=True)
            if found.is_dir():
                shutil.copytree(found, goal, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(found, goal)


def product(root: Path, place: Path) -> Path:
    """Return the directory with what the image has of us: the files themselves, or what their wheel unpacks to."""
    files = place / "files"
    files.mkdir()
    lay_out(root, (root / "Dockerfile").read_text(), files)
    if not (files / "pyproject.toml").exists():
        return files
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(place / "wheel")]
    subprocess.run(command, cwd=files, check=True, capture_output=True)
    unpacked = place / "unpacked"
    for wheel in (place / "wheel").glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(unpacked)
    return unpacked


def programs(place: Path) -> list[str]:
    """Return the packages that can be run, by their dotted names."""
    return sorted(".".join(file.parent.relative_to(place).parts) for file in place.glob("*/**/__main__.py"))


def faults(root: Path) -> Iterator[str]:
    """Yield what cannot be imported, and why."""
    with tempfile.TemporaryDirectory() as directory:
        place = product(root, Path(directory))

        def fault(package: str) -> str | None:
            site, lock = sysconfig.get_path("purelib"), str(root / "requirements.lock")
            command = [sys.executable, "-I", "-S", "-B", "-c", _PROGRAM, str(place), site, lock, package]
            ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=directory)
            said = ran.stderr.strip().splitlines()[-1:] or [f"exit code {ran.returncode}"]
            return None if ran.returncode == 0 else f"{package}: {said[0]}"

        found = programs(place)
        if not found:
            yield "the Dockerfile copies no program"
        with ThreadPoolExecutor(2) as pool:
            yield from filter(None, pool.map(fault, found))


if __name__ == "__main__":
    end(faults(ROOT))
