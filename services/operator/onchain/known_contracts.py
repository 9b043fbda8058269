"""What the operator must remember: which contract it deployed for which feed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import orjson

from chainlink.errors import UnwritableSecrets
from meshkit import atomic_file, log, private_directory
from services.operator.errors import UnreadableState

_FORMAT = 2


@dataclass(frozen=True, slots=True)
class KnownContract:
    """Hold a feed's contract address, and digest and number of its last known configuration, none before the first."""

    address: str
    config_digest: str = ""
    config_count: int = 0


class KnownContracts:
    """
    Keep the records of all feeds of one chain in a file that is replaced at once at every change.

    The file keeps what it has of other chains. If it is missing, the first of the files of one chain that
    `earlier` versions kept elsewhere is taken over.
    """

    def __init__(self, path: Path, chain_id: int, *, earlier: Sequence[Path] = ()) -> None:
        self._path = path
        self._chain = str(chain_id)
        self._chains = _load(path)
        found = {} if path.exists() else {place: before for place in earlier if (before := _load(place))}
        if found:
            origin, self._chains = next(iter(found.items()))
            log.get_logger(__name__).info("contracts_taken_over", origin=str(origin), file=str(path))
            self.save()

    @property
    def records(self) -> Mapping[str, KnownContract]:
        """Return the records by feed name."""
        return MappingProxyType(self._chains.get(self._chain, {}))

    @property
    def has_chain(self) -> bool:
        """Tell whether the file has this chain, be it without feeds."""
        return self._chain in self._chains

    def put(self, feed: str, record: KnownContract) -> None:
        """Remember a feed's record, if it is another one than before; raises UnwritableSecrets."""
        self.put_all({feed: record})

    def put_all(self, records: Mapping[str, KnownContract]) -> None:
        """Remember several feeds' records at once, as far as they are others than before; raises UnwritableSecrets."""
        known = self.records
        changed = {feed: record for feed, record in records.items() if known.get(feed) != record}
        if not changed:
            return
        # An address cannot be found again; what else there is to know of a contract is read from the chain.
        durable = any(feed not in known or known[feed].address != record.address for feed, record in changed.items())
        self._chains.setdefault(self._chain, {}).update(changed)
        self.save(durable=durable)

    def forget(self, feed: str) -> None:
        """Remove a feed's record, if there is one; raises UnwritableSecrets."""
        if self._chains.get(self._chain, {}).pop(feed, None) is not None:
            self.save()

    def save(self, *, durable: bool = True) -> None:
        """Write the file, also to see that it can be written; raises UnwritableSecrets."""
        chains = {
            chain: {
                name: {
                    "address": record.address,
                    "configDigest": record.config_digest,
                    "configCount": record.config_count,
                }
                for name, record in records.items()
            }
            for chain, records in self._chains.items()
        }
        content = orjson.dumps({"format": _FORMAT, "chains": chains}, option=orjson.OPT_INDENT_2) + b"\n"
        try:
            private_directory.make(self._path.parent)
            atomic_file.replace(self._path, content, private_directory.FILE_MODE, durable=durable)
        except OSError as error:
            raise UnwritableSecrets(self._path, error.strerror or "") from error


def _load(path: Path) -> dict[str, dict[str, KnownContract]]:
    """Read the records by chain and feed; a file of the first format has one chain."""
    try:
        document = orjson.loads(path.read_bytes())
        chains = document["chains"] if "chains" in document else {str(document["chainId"]): document["feeds"]}
        return {
            chain: {
                name: KnownContract(
                    str(record["address"]), str(record["configDigest"]), int(record.get("configCount", 0))
                )
                for name, record in records.items()
            }
            for chain, records in chains.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        # Deploying anew would leave consumers on a dead contract: a person has to look at this.
        raise UnreadableState(path, f"{type(error).__name__}: {error}") from error
