"""
Compare the lock files with what asks for them: every dependency pinned, in range, with a hash, and no host named.

Runs without a network. Exit code 1 and one line for each fault.
"""

import importlib.metadata
import json
import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent.parent


def locked(path: Path) -> dict[str, tuple[str, int]]:
    """Return version and number of hashes by name."""
    found: dict[str, tuple[str, int]] = {}
    name = ""
    for line in path.read_text().splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)==([^ ;\\]+)", line):
            name = canonicalize_name(match[1])
            found[name] = (match[2], 0)
        elif "--hash=" in line:
            found[name] = (found[name][0], found[name][1] + 1)
    return found


def python_faults() -> list[str]:
    """Return what is wrong with the Python lock files and the environment made from them."""
    faults: list[str] = []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime, everything = locked(ROOT / "requirements.lock"), locked(ROOT / "requirements-dev.lock")
    wanted = [(text, "requirements.lock", runtime) for text in project["project"]["dependencies"]]
    groups = project["dependency-groups"]
    wanted += [(text, "requirements-dev.lock", everything) for text in groups["dev"] if isinstance(text, str)]
    build = locked(ROOT / "requirements-build.lock")
    wanted += [(text, "requirements-build.lock", build) for text in groups["build"]]
    for text, file, lock in wanted:
        requirement = Requirement(text)
        version = lock.get(canonicalize_name(requirement.name), ("", 0))[0]
        if not version or version not in requirement.specifier:
            faults.append(f"{file}: {text} is wanted, {version or 'nothing'} is locked; run make lock")
    for file, lock in (("requirements.lock", runtime), ("requirements-build.lock", build)):
        for name, pin in lock.items():
            if everything.get(name, ("", 0))[0] != pin[0]:
                faults.append(f"requirements-dev.lock: {name} differs from {file}; run make lock")
    faults += [f"requirements-dev.lock: {name} has no hash" for name, (_, hashes) in everything.items() if not hashes]
    installed = {canonicalize_name(item.metadata["Name"]): item for item in importlib.metadata.distributions()}
    for name, (version, _) in everything.items():
        if name in installed and installed[name].version != version:
            faults.append(f"{name}: {installed[name].version} is installed, {version} is locked; run make setup")
    # What the installed packages themselves ask for must be locked as well.
    for name in everything.keys() & installed.keys():
        for text in installed[name].requires or []:
            requirement = Requirement(text)
            if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
                continue
            version = everything.get(canonicalize_name(requirement.name), ("", 0))[0]
            if not version or not requirement.specifier.contains(version, prereleases=True):
                faults.append(f"{name} needs {text}, {version or 'nothing'} is locked; run make lock")
    return faults


def npm_faults() -> list[str]:
    """Return what is wrong with the npm lock file."""
    package = json.loads((ROOT / "package.json").read_text())
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    faults = [
        f"package-lock.json: {name}@{version} is wanted, {found or 'nothing'} is locked; run make lock"
        for group in ("devDependencies", "optionalDependencies")
        for name, version in package[group].items()
        if (found := packages.get(f"node_modules/{name}", {}).get("version")) != version
    ]
    faults += [
        f"package-lock.json: {name} has no hash"
        for name, entry in packages.items()
        if name and "integrity" not in entry
    ]
    return faults


def host_faults() -> list[str]:
    """Return the lock files that name a host to download from."""
    pattern = re.compile(r"https?://|--index-url|--find-links|\"resolved\"")
    found = []
    for file in ("requirements.lock", "requirements-build.lock", "requirements-dev.lock", "package-lock.json"):
        for number, line in enumerate((ROOT / file).read_text().splitlines(), 1):
            # npm repeats where a package asks for donations; nothing is downloaded from there.
            if pattern.search(line) and '"url": ' not in line:
                found.append(f"{file}:{number}: names a host")
    return found


if __name__ == "__main__":
    problems = [*python_faults(), *npm_faults(), *host_faults()]
    print("\n".join(problems), end="\n" if problems else "")
    sys.exit(bool(problems))
