"""The parameters of the HTTP API: what the OpenAPI document shows of them, and how routes read them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from meshkit.errors import InvalidInput
from services.aggregator.engine.answers import MOST_PAIRS
from services.aggregator.prices.pair import ASSET_PATTERN, PAIR_PATTERN, Pair, parse_pair
from services.aggregator.sources.catalog import DECLARATIONS
from services.aggregator.web.quote_json import ALWAYS, FIELDS

MOST_SOURCES: Final = 20
LONGEST_PAIRS_TEXT: Final = 24_000
QUOTE_ROUTE: Final = "/quote/{source}/{base}/{quote}"
PAIRS_ROUTE: Final = "/quote/pairs/{source}"
SOURCE_ROUTE: Final = "/sources/{source}"
BATCH_ROUTE: Final = "/quotes/batch"
SOURCE_NAMES: Final = sorted(declared.name for declared in DECLARATIONS.values())


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    Describe a parameter; one in a query is a comma list.

    Attributes:
        schema: The JSON schema of its value, of a list of an item.
        example: A value, of a list all items.
        most: The most items of a list.
    """

    name: str
    place: Literal["path", "query"]
    about: str
    schema: Mapping[str, object]
    example: object
    required: bool = True
    most: int = 1

    def described(self) -> dict[str, object]:
        """Return its part of the OpenAPI document."""
        shown = {"name": self.name, "in": self.place, "required": self.required, "description": self.about}
        shown["example"] = self.example
        if self.place == "path":
            return {**shown, "schema": dict(self.schema)}
        items = {"type": "array", "items": dict(self.schema), "minItems": 1, "maxItems": self.most}
        return {**shown, "style": "form", "explode": False, "schema": items}


_FIELD_NAMES: Final = (*ALWAYS, *FIELDS)
_FIELDS_AT_MOST: Final = 2 * len(_FIELD_NAMES)
_ASSET: Final = {"type": "string", "pattern": f"^{ASSET_PATTERN}$"}

PAIRS: Final = Parameter(
    "pairs",
    "query",
    "Pairs such as BTC-USD; one that is named twice is answered once.",
    {"type": "string", "pattern": f"^(?:{PAIR_PATTERN})$"},
    ["BTC-USD", "ETH-USD"],
    most=MOST_PAIRS,
)
SOURCES: Final = Parameter(
    "sources",
    "query",
    "Sources such as binance; all that are mapped to the pair if there are none.",
    {"type": "string", "enum": SOURCE_NAMES},
    ["binance", "kraken"],
    required=False,
    most=MOST_SOURCES,
)
CHOSEN: Final = Parameter(
    "fields",
    "query",
    f"The fields of each quote; all if there are none. {' and '.join(ALWAYS)} are there in any case.",
    {"type": "string", "enum": list(_FIELD_NAMES)},
    ["price", "status"],
    required=False,
    most=_FIELDS_AT_MOST,
)
SOURCE: Final = Parameter("source", "path", "The source.", {"type": "string", "enum": SOURCE_NAMES}, "kraken")
BASE: Final = Parameter("base", "path", "The priced asset in the source's own spelling.", _ASSET, "BTC")
QUOTE: Final = Parameter("quote", "path", "The asset the price is in, in the source's own spelling.", _ASSET, "USD")

PARAMETERS: Final[Mapping[str, Sequence[Parameter]]] = {
    QUOTE_ROUTE: (SOURCE, BASE, QUOTE),
    PAIRS_ROUTE: (SOURCE,),
    SOURCE_ROUTE: (SOURCE,),
    BATCH_ROUTE: (PAIRS, SOURCES, CHOSEN),
}


def read_pairs(text: str) -> list[Pair]:
    """Return the pairs of a comma list; raise InvalidInput naming the pair that is none, or the limit."""
    if not text:
        raise InvalidInput(PAIRS.name, text, "a comma list such as BTC-USD,ETH-USD")
    if len(text) > LONGEST_PAIRS_TEXT:
        raise InvalidInput(PAIRS.name, f"{len(text)} characters", f"at most {LONGEST_PAIRS_TEXT} characters")
    items = text.split(",")
    if len(items) > MOST_PAIRS:
        raise InvalidInput(PAIRS.name, f"{len(items)} pairs", f"at most {MOST_PAIRS} pairs")
    return [parse_pair(item, PAIRS.name) for item in items]


def read_sources(text: str) -> list[str]:
    """Return the names of a comma list; raise InvalidInput naming one there is not. One may still be switched off."""
    names = text.split(",")
    if len(names) > MOST_SOURCES:
        raise InvalidInput(SOURCES.name, f"{len(names)} sources", f"at most {MOST_SOURCES} sources")
    require_sources(names, SOURCES.name)
    return names


def require_sources(names: Iterable[str], field: str) -> None:
    """Raise InvalidInput for a name that no source has, whether it is switched on or not."""
    for name in names:
        if name not in SOURCE_NAMES:
            raise InvalidInput(field, name, ", ".join(SOURCE_NAMES))


def read_fields(text: str) -> list[str]:
    """Return the fields of a comma list in the order of an answer; raise InvalidInput naming one there is not."""
    chosen = text.split(",")
    if len(chosen) > _FIELDS_AT_MOST:
        raise InvalidInput(CHOSEN.name, f"{len(chosen)} fields", f"at most {_FIELDS_AT_MOST} fields")
    for name in chosen:
        if name not in _FIELD_NAMES:
            raise InvalidInput(CHOSEN.name, name, "a comma list of " + ", ".join(_FIELD_NAMES))
    return [name for name in FIELDS if name in chosen]
