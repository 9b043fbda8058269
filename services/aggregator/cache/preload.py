"""The file of pairs that are registered at the start."""

from collections import Counter
from collections.abc import Collection
from pathlib import Path

import orjson

from meshkit.errors import InvalidInput
from meshkit.log import get_logger
from services.aggregator.prices.pair import Pair, parse_pair

_log = get_logger(__name__)

Entry = tuple[str, Pair]


def parse(document: object, enabled: Collection[str]) -> tuple[list[Entry], Counter[str]]:
    """
    Return the distinct source pairs of a parsed file, in its order, and how many entries were skipped for which reason.

    The form is `{"source": ["BASE/QUOTE", …]}`, sources spelled as in routes or as in the configuration.
    """
    if not isinstance(document, dict):
        return [], Counter({"not_an_object_of_sources": 1})
    names = {name.replace("-", ""): name for name in enabled}
    entries: dict[Entry, None] = {}
    skipped: Counter[str] = Counter()
    for source, texts in document.items():
        name = names.get(source.replace("-", ""))
        if not isinstance(texts, list):
            skipped["not_a_list_of_pairs"] += 1
        elif name is None:
            skipped["unknown_or_disabled_source"] += len(texts)
        else:
            for text in texts:
                try:
                    entries[name, parse_pair(text, "pair")] = None
                except (InvalidInput, AttributeError, TypeError):
                    skipped["malformed_pair"] += 1
    return list(entries), skipped


def load(path: Path, enabled: Collection[str]) -> list[Entry]:
    """Return the source pairs of a file; log what was skipped, one line a reason, and never fail the start."""
    try:
        document = orjson.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        _log.warning("pairs_file_not_read", path=str(path), error=str(error))
        return []
    entries, skipped = parse(document, enabled)
    for reason, count in sorted(skipped.items()):
        _log.warning("pairs_skipped", path=str(path), reason=reason, count=count)
    return entries
