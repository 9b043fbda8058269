"""
`feedmesh verify-image`: whether what was ordered, what is stored and what is here are one and the same image.

Three SHA-256 sums are compared: the image's own, the one in the order's report, and the one in the resource file that
says where the image is stored. Each comes from a file, so that nothing is asked of anybody.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from cli.errors import CliError, UsageError
from cli.json_output import print_json

_SUM: Final = re.compile(r"(?<![0-9A-Za-z])(?:sha256[:=-]|0x)?([0-9a-fA-F]{64})(?![0-9A-Za-z])")
# Longer files are the image itself, shorter ones may be what `sha256sum` or `podman --digestfile` wrote.
_LONGEST_TEXT: Final = 4096
_READ_BYTES: Final = 1 << 20
_SHA256_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Comparison:
    """The image's sum, and which sums the two other files have."""

    image: str
    report: tuple[str, ...]
    resource: tuple[str, ...]

    @property
    def problems(self) -> list[str]:
        """Say what does not agree; nothing if all is one image."""
        found = []
        if self.image not in self.report:
            found.append(f"the order report has {_listed(self.report)}, not the image's {self.image}")
        if self.resource != (self.image,):
            found.append(f"the resource file has {_listed(self.resource)}, expected only the image's {self.image}")
        return found


def show(image: Path, report: Path, resource: Path, as_json: bool) -> int:
    """Print the comparison and return the exit code: 0 if the three are the same."""
    found = Comparison(image_sum(image), sums_in(report, "--report"), sums_in(resource, "--resource"))
    if as_json:
        print_json(
            {
                "ok": not found.problems,
                "image": found.image,
                "report": found.report,
                "resource": found.resource,
                "problems": found.problems,
            }
        )
    elif not found.problems:
        print(f"the same image in all three: sha256:{found.image}")
    if found.problems and not as_json:
        raise CliError("; ".join(found.problems))
    return 1 if found.problems else 0


def image_sum(path: Path) -> str:
    """
    Return the image's SHA-256 sum in hex: an archive's own, or the only one that a short text file has.

    Raises UsageError if the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        if path.stat().st_size <= _LONGEST_TEXT and (found := _sums_of_text(path.read_bytes())):
            if len(found) > 1:
                raise UsageError(f"--image: {path} has {len(found)} SHA-256 sums, allowed: one, or the image's archive")
            return found[0]
        with path.open("rb") as file:
            while piece := file.read(_READ_BYTES):
                digest.update(piece)
    except OSError as error:
        raise UsageError(f"--image: {path} cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def sums_in(path: Path, option: str) -> tuple[str, ...]:
    """
    Return every SHA-256 sum that a file has, each once, in hex.

    In JSON also those that stand in base64 beside an `encoding` that says so. Raises UsageError if the file cannot be
    read or has none.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{option}: {path} cannot be read: {error.strerror}") from error
    try:
        found = tuple(dict.fromkeys(_sums_of_json(orjson.loads(content))))
    except orjson.JSONDecodeError:
        found = _sums_of_text(content)
    if not found:
        raise UsageError(f"{option}: {path} has no SHA-256 sum, allowed: 64 hexadecimal digits, or base64 in JSON")
    return found


def _sums_of_text(content: bytes) -> tuple[str, ...]:
    try:
        return tuple(dict.fromkeys(found.lower() for found in _SUM.findall(content.decode())))
    except UnicodeDecodeError:
        return ()


def _sums_of_json(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from (found.lower() for found in _SUM.findall(value))
    elif isinstance(value, list):
        for item in value:
            yield from _sums_of_json(item)
    elif isinstance(value, dict):
        encoded = value.get("encoding") == "base64"
        for item in value.values():
            if encoded and isinstance(item, str) and (found := _sum_of_base64(item)):
                yield found
            else:
                yield from _sums_of_json(item)


def _sum_of_base64(text: str) -> str:
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return decoded.hex() if len(decoded) == _SHA256_BYTES else ""


def _listed(sums: tuple[str, ...]) -> str:
    return ", ".join(sums)
