"""What accounts have spent, kept over restarts: for one chain, by address."""

from collections.abc import Mapping
from pathlib import Path

import orjson

from meshkit import atomic_file, log, private_directory
from services.operator.funding.spending import Spending

_log = log.get_logger(__name__)


class SpendingFile:
    """Keep the spending of all accounts of a chain; without the file, or with a damaged one, measuring begins anew."""

    def __init__(self, path: Path, chain_id: int) -> None:
        self._path = path
        self._chain_id = chain_id
        self._told = False

    def read(self) -> dict[str, Spending]:
        """Return the spending by address."""
        try:
            found = orjson.loads(self._path.read_bytes())
            if found["chainId"] != self._chain_id:
                return {}
            return {str(address): Spending.of_json(spending) for address, spending in found["accounts"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
            _log.warning("spending_forgotten", file=str(self._path), error=f"{type(error).__name__}: {error}")
            return {}

    def keep(self, spendings: Mapping[str, Spending]) -> None:
        """Replace what is kept."""
        accounts = {address: spending.as_json() for address, spending in spendings.items()}
        try:
            private_directory.make(self._path.parent)
            content = orjson.dumps({"chainId": self._chain_id, "accounts": accounts})
            # A power failure costs some hours of measuring.
            atomic_file.replace(self._path, content, private_directory.FILE_MODE, durable=False)
        except OSError as error:
            if not self._told:
                _log.warning("spending_not_kept", file=str(self._path), error=error.strerror)
            self._told = True
