"""Faults on command: what a source does wrong until told otherwise."""

from dataclasses import dataclass, field
from decimal import Context, Decimal
from enum import StrEnum
from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from meshkit.errors import InvalidInput

_HUGE: Final = Decimal("123456789E+40")
_FEWEST_DIGITS: Final = 4
_SHORT: Final = Context(prec=8)


class Wrong(StrEnum):
    """What is sent in the place of each price."""

    ZERO = "zero"
    NEGATIVE = "negative"
    NAN = "nan"
    HUGE = "huge"
    EXPONENT = "exponent"


class Exponential(Decimal):
    """A number that prints itself with an exponent, whatever form is asked for."""

    def __format__(self, specifier: str, /, *_: object) -> str:
        return f"{Decimal(self):E}"


class Fault(BaseModel):
    """
    Describe how a source misbehaves.

    `latency_ms` delays every answer. `limit` gives the source's own limit answer; a text names one where the source has
    several. `status` and `body` replace the answer; a text body is sent as it stands (so it may be malformed), anything
    else as JSON. `malformed` cuts every answer and every pushed message in half.

    `number`, `factor` and `inverted` (one divided by the price) change last, bid and ask, `shift_ms` moves the times
    that the source tells (below 0: stale); with `pairs` (BASE/QUOTE) only those markets are wrong. `currency` is named
    in the place of the one that prices are in, by a source that names it.

    `halted` has the listing say that nobody trades, while prices and times go on; with `pairs` only those markets.
    `age_s` has every answer come out of a cache that kept it for so long, by Age and Date; `retry_after` stands in the
    header of that name of a limit answer; `location` stands in a replaced answer, such as a redirect.

    `bad_rows` puts a null among the rows of every answer, `keep_rows` leaves all but so many of them out, `fields` has
    every field of these names say something else, `odd_types` has lists where numbers belong, and `doubled` tells each
    key a second time with another value.

    Of streams: `silence` sends no prices any more, heartbeats and acknowledgements go on; `half_open` accepts
    connections and messages and never sends anything; `lifetime_ms` closes a connection at that age.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    latency_ms: Annotated[int, Field(ge=0, le=600_000)] = 0
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    body: JsonValue = None
    limit: bool | str = False
    malformed: bool = False
    number: Annotated[Wrong, Field(strict=False)] | None = None
    factor: Annotated[Decimal, Field(gt=0, le=1_000_000)] | None = None
    inverted: bool = False
    currency: str | None = None
    shift_ms: Annotated[int, Field(ge=-(10**11), le=10**11)] = 0
    pairs: tuple[str, ...] | None = None
    halted: bool = False
    age_s: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    retry_after: str | None = None
    location: str | None = None
    bad_rows: bool = False
    keep_rows: Annotated[int, Field(ge=0, le=100_000)] | None = None
    fields: dict[str, JsonValue] | None = None
    odd_types: bool = False
    doubled: bool = False
    silence: bool = False
    half_open: bool = False
    lifetime_ms: Annotated[int, Field(gt=0)] | None = None

    @property
    def replaces(self) -> bool:
        """Tell whether the answer itself is replaced."""
        return self.status is not None or "body" in self.model_fields_set

    def touches(self, pair: str) -> bool:
        """Tell whether the prices of a pair (BASE/QUOTE) are among the wrong ones."""
        return self.pairs is None or pair in self.pairs

    def wrong(self, price: Decimal) -> Decimal:
        """
        Return what the source says in the place of a price.

        Outliers keep the price's digits after the point, as long as these say more than the first of the number.
        """
        if self.factor is not None:
            price = _rounded(price * self.factor, price)
        if self.inverted:
            price = _rounded(1 / price, price)
        match self.number:
            case Wrong.ZERO:
                return Decimal(0)
            case Wrong.NEGATIVE:
                return -price
            case Wrong.NAN:
                return Decimal("NaN")
            case Wrong.HUGE:
                return _HUGE
            case Wrong.EXPONENT:
                return Exponential(price)
            case None:
                return price


def _rounded(number: Decimal, like: Decimal) -> Decimal:
    kept = number.quantize(like)
    return kept if len(kept.as_tuple().digits) >= _FEWEST_DIGITS else _SHORT.create_decimal(number)


class Disconnection(BaseModel):
    """
    Describe how all connections of a source's stream are closed, once.

    `notice` sends the source's own notice before; `abrupt` ends the connection without a close frame.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    code: Annotated[int, Field(ge=1000, le=4999)] = 1001
    notice: bool = False
    abrupt: bool = False


class Shout(BaseModel):
    """Hold a text that all connections of a source's stream are sent, as it stands."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    text: str


Body = TypeVar("Body", bound=BaseModel)


def parse(kind: type[Body], text: bytes) -> Body:
    """Read a control call's JSON, nothing being an empty object; raise InvalidInput naming the first bad field."""
    try:
        return kind.model_validate_json(text or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "body"
        raise InvalidInput(name, first["input"], f"{first['msg']}; fields: {', '.join(kind.model_fields)}") from error


@dataclass(slots=True)
class SourceControl:
    """Hold a source's present fault and how many requests reached the source, all and by path."""

    fault: Fault = field(default_factory=Fault)
    requests: int = 0
    calls: dict[str, int] = field(default_factory=dict)

    def count(self, path: str) -> None:
        """Count one request."""
        self.requests += 1
        self.calls[path] = self.calls.get(path, 0) + 1
