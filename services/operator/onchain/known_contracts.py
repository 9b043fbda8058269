"""What the operator must remember: which contract it deployed for which feed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import orjson

from meshkit import atomic_file
from services.operator import private_directory
from services.operator.errors import UnreadableState

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class KnownContract:
    """Hold a feed's contract address, and digest and number of its last known configuration, none before the first."""

    address: str
    config_digest: str = ""
    config_count: int = 0


class KnownContracts:
    """Keep the records of all feeds of one chain in a file that is replaced at once at every change."""

    def __init__(self, path: Path, chain_id: int) -> None:
        self._path = path
        self._chain_id = chain_id
        self._records = _load(path, chain_id)

    @property
    def records(self) -> Mapping[str, KnownContract]:
        """Return the records by feed name."""
        return MappingProxyType(self._records)

    def put(self, feed: str, record: KnownContract) -> None:
        """Remember a feed's record, if it is another one than before."""
        if self._records.get(feed) == record:
            return
        self._records[feed] = record
        self._save()

    def forget(self, feed: str) -> None:
        """Remove a feed's record, if there is one."""
        if self._records.pop(feed, None) is not None:
            self._save()

    def _save(self) -> None:
        private_directory.make(self._path.parent)
        feeds = {
            name: {
                "address": record.address,
                "configDigest": record.config_digest,
                "configCount": record.config_count,
            }
            for name, record in self._records.items()
        }
        document = {"format": _FORMAT, "chainId": self._chain_id, "feeds": feeds}
        content = orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"
        atomic_file.replace(self._path, content, private_directory.FILE_MODE)


def _load(path: Path, chain_id: int) -> dict[str, KnownContract]:
    """Read the records; those of another chain are of no use and are not returned."""
    try:
        document = orjson.loads(path.read_bytes())
        if document["chainId"] != chain_id:
            return {}
        return {
            name: KnownContract(str(record["address"]), str(record["configDigest"]), int(record.get("configCount", 0)))
            for name, record in document["feeds"].items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        # Deploying anew would leave consumers on a dead contract: a person has to look at this.
        raise UnreadableState(path, f"{type(error).__name__}: {error}") from error
