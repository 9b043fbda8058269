"""Log lines read back from the files of a data directory, for when no mesh runs that could be asked."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from cli.commands.log_lines import ReadLine, read_line

_FILE: Final = re.compile(r"(?P<service>.+)\.log(?:\.(?P<number>\d+))?")
# As each line of a file begins: 2026-01-31T12:00:00.000+00:00.
_STAMP_LENGTH: Final = 29


def kept_lines(directory: Path, services: Sequence[str], since_ms: int, contains: str) -> list[ReadLine]:
    """
    Return the lines of some services, of all where none is named, from a moment on, oldest first.

    Lines whose beginning was lost, as when the disk was full, are left out; files that cannot be read are OSErrors.
    """
    wanted = contains.casefold()
    found = [
        line
        for service, path in sorted(_files(directory, services))
        for line in _lines(service, path)
        if line.time_ms >= since_ms and wanted in line.text.casefold()
    ]
    return sorted(found, key=lambda line: line.time_ms)


def _files(directory: Path, services: Sequence[str]) -> Iterator[tuple[str, Path]]:
    for path in directory.iterdir():
        match = _FILE.fullmatch(path.name)
        if match is not None and (not services or match["service"] in services):
            yield match["service"], path


def _lines(service: str, path: Path) -> Iterator[ReadLine]:
    for raw in path.read_bytes().decode(errors="replace").split("\n"):
        try:
            time_ms = round(datetime.fromisoformat(raw[:_STAMP_LENGTH]).timestamp() * 1000)
        except ValueError:
            continue
        yield read_line(service, time_ms, raw[_STAMP_LENGTH + 1 :])
