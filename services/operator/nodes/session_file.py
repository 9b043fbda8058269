"""The cookies of a node's session, kept over restarts of the operator: a login is made only where none is valid."""

from collections.abc import Mapping
from pathlib import Path

import orjson

from meshkit import atomic_file, log, private_directory

_log = log.get_logger(__name__)


class SessionFile:
    """Keep one node's cookies in a file that only we may read; what cannot be kept is made anew after a restart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told = False

    def read(self) -> dict[str, str]:
        """Return the cookies kept, none if there are none or the file is damaged."""
        try:
            found = orjson.loads(self._path.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return {}
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            return {}
        return found

    def keep(self, cookies: Mapping[str, str]) -> None:
        """Replace what is kept."""
        try:
            private_directory.make(self._path.parent)
            # After a power failure a login more is no harm.
            atomic_file.replace(self._path, orjson.dumps(dict(cookies)), private_directory.FILE_MODE, durable=False)
        except OSError as error:
            if not self._told:
                _log.warning("session_not_kept", file=str(self._path), error=error.strerror)
            self._told = True
