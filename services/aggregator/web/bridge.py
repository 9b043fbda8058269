"""
The language of Chainlink bridges: what their POST carries, and the answer their parser wants.

A node sends `{"data":{…},"meta":{…}}` and takes a body with `statusCode` 200 as success. It cuts bodies at 32,768
bytes, silently, so a longer answer must be an error.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal
from itertools import product
from typing import Annotated, Any, Final

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from meshkit import feeds
from meshkit.errors import InvalidInput, MeshError
from services.aggregator.engine.answers import MOST_PAIRS
from services.aggregator.engine.source_verdicts import AbsentSource
from services.aggregator.prices.pair import ASSET_PATTERN, PAIR_PATTERN, PAIR_RULE, Pair, pair_of, parse_pair
from services.aggregator.prices.price import plain_text
from services.aggregator.prices.quote import Quote, Result
from services.aggregator.web import quote_json
from services.aggregator.web.parameters import MOST_SOURCES, SOURCE_NAMES, require_sources

LONGEST_ANSWER_BYTES = 32_768
MOST_DECIMALS = 36
_EXACT = 2**53
_BASES = ("base", "from", "coin")
_QUOTES = ("quote", "to", "market")
# The ways to say what is asked for; a request uses exactly one, since of two that differ one would be a wrong price.
_FORMS = (("pair",), ("feed",), ("pairs",), *product(_BASES, _QUOTES))
_NAMES = ("pair", "feed", "pairs", *_BASES, *_QUOTES)
_FORMS_RULE = "exactly one of pair, feed, pairs, or base (from, coin) with quote (to, market)"
_SCALE = Context(prec=100, rounding=ROUND_DOWN)

Text = Annotated[str, Field(max_length=128)]
PairText = Annotated[Text, Field(json_schema_extra={"pattern": f"^(?:{PAIR_PATTERN})$"})]
Source = Annotated[Text, Field(json_schema_extra={"enum": SOURCE_NAMES})]
Asset = Annotated[Text, Field(json_schema_extra={"pattern": f"^{ASSET_PATTERN}$"})]


def _whole(value: object) -> object:
    """Return 8 for 8.0, which JSON does not tell apart; what binary floats cannot tell apart stays."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT else value


def _id_text(value: object) -> object:
    """Return the text of an id, which older nodes send as a number."""
    number = _whole(value)
    is_number = isinstance(number, int) and not isinstance(number, bool) and abs(number) <= _EXACT
    return str(number) if is_number else value


Decimals = Annotated[int, Field(ge=0, le=MOST_DECIMALS), BeforeValidator(_whole)]
_ID_SCHEMA = [{"type": "string", "maxLength": 128}, {"type": "integer", "minimum": -_EXACT, "maximum": _EXACT}]
RunId = Annotated[Text, BeforeValidator(_id_text), WithJsonSchema({"anyOf": _ID_SCHEMA})]


_GIVEN: Final = {"not": {"type": "null"}}


def _absent(used: Collection[str]) -> dict[str, Any]:
    return {name: {"type": "null"} for name in _NAMES if name not in used}


def _one_of(names: Sequence[str]) -> dict[str, Any]:
    return {
        "oneOf": [
            {"required": [name], "properties": {each: _GIVEN if each == name else {"type": "null"} for each in names}}
            for name in names
        ]
    }


def _add_forms(schema: dict[str, Any]) -> None:
    """Say in the JSON schema which names go together; null counts as absent."""
    schema["oneOf"] = [
        *({"required": [name], "properties": {name: _GIVEN} | _absent({name})} for name in ("pair", "feed", "pairs")),
        {"properties": _absent({*_BASES, *_QUOTES}), "allOf": [_one_of(_BASES), _one_of(_QUOTES)]},
    ]


class BridgeData(BaseModel):
    """The `data` of a request; keys that other adapters know are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, json_schema_extra=_add_forms)

    pair: PairText | None = None
    feed: Text | None = None
    pairs: Annotated[list[PairText], Field(min_length=1, max_length=MOST_PAIRS)] | None = None
    base: Asset | None = None
    from_: Annotated[Asset | None, Field(alias="from")] = None
    coin: Asset | None = None
    quote: Asset | None = None
    to: Asset | None = None
    market: Asset | None = None
    sources: Annotated[list[Source], Field(min_length=1, max_length=MOST_SOURCES)] | None = None
    decimals: Decimals | None = None

    def asked(self) -> list[Pair]:
        """Return the pairs asked for; raise InvalidInput naming the field, or UnknownFeed."""
        given = {name: value for name, value in self._named().items() if value is not None}
        if len(given) == 1 and set(given) <= {*_BASES, *_QUOTES}:
            raise InvalidInput("data.quote" if set(given) <= set(_BASES) else "data.base", None, PAIR_RULE)
        if tuple(given) not in _FORMS:
            raise InvalidInput("data", sorted(given), _FORMS_RULE)
        require_sources(self.sources or (), "data.sources")
        if self.pairs is not None:
            return [parse_pair(text, f"data.pairs.{index}") for index, text in enumerate(self.pairs)]
        if self.pair is not None:
            return [parse_pair(self.pair, "data.pair")]
        if self.feed is not None:
            feed = feeds.get(self.feed)
            return [Pair(feed.base, feed.quote)]
        base, quote = given.values()
        return [pair_of(base, quote, "data")]

    def _named(self) -> dict[str, Any]:
        found = self.model_dump(by_alias=True)
        return {name: found[name] for name in _NAMES}


class BridgeRequest(BaseModel):
    """The body of a request; `meta` tells the node's last answer, which must not change ours."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    id: RunId | None = None
    data: BridgeData


def parse_request(text: bytes) -> BridgeRequest:
    """Return the request of a body; raise InvalidInput naming the field, also for a body that is not JSON."""
    try:
        return BridgeRequest.model_validate(orjson.loads(text))
    except orjson.JSONDecodeError as error:
        raise InvalidInput("body", text[:64].decode(errors="replace"), f"a JSON object ({error})") from None
    except ValidationError as error:
        first: Any = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "body"
        raise InvalidInput(field, first["input"] if first["type"] != "missing" else None, first["msg"]) from None


@dataclass(frozen=True, slots=True)
class AnswerText:
    """
    Hold the JSON of an answer without what each request has of its own: its run id and its times.

    Attributes:
        pairs: How many pairs it answers.
        begin: The text up to when the prices were asked for.
        middle: The text from there to when the answer is given.
        end: The rest.
    """

    pairs: int
    begin: bytes
    middle: bytes
    end: bytes

    def filled(self, run_id: str | None, started_ms: int, now_ms: int) -> bytes:
        """Return the JSON for one request; raise InvalidInput for more than a node reads."""
        head = b"" if run_id is None else b'"jobRunID":%b,' % orjson.dumps(run_id)
        text = b"{%b%b%d%b%d%b" % (head, self.begin, started_ms, self.middle, now_ms, self.end)
        if len(text) >= LONGEST_ANSWER_BYTES:
            allowed = f"fewer pairs: a node reads {LONGEST_ANSWER_BYTES} bytes, the answer has {len(text)}"
            raise InvalidInput("data.pairs", self.pairs, allowed)
        return text


Absent = Callable[[Quote], Sequence[AbsentSource]]
"""Returns why sources of a quote have no price, none for a quote that has all of them."""


def none_absent(_quote: Quote) -> Sequence[AbsentSource]:
    """Tell of no source."""
    return ()


def success(
    request: BridgeRequest,
    results: Sequence[tuple[Pair, Result]],
    started_ms: int,
    now_ms: int,
    absent: Absent = none_absent,
) -> bytes:
    """
    Return the answer to a request.

    One pair gives its price as `result`, and as `absent` why sources of it have none; several give `data.quotes` in the
    order asked. Raises the pair's error, that of the first pair if all of several failed, and InvalidInput for more
    than a node reads.
    """
    return answer_text(request.data, results, absent).filled(request.id, started_ms, now_ms)


def answer_text(asked: BridgeData, results: Sequence[tuple[Pair, Result]], absent: Absent = none_absent) -> AnswerText:
    """
    Return the text of the answer to all requests for the same data; raise an error as `success` does.

    What it says of absent sources is of now, and stays as long as the text does.
    """
    quotes = [result for _, result in results if isinstance(result, Quote)]
    if not quotes:
        raise next(result for _, result in results if isinstance(result, MeshError))
    answer: quote_json.Json
    if asked.pairs is None:
        result = _scaled(quotes[0].price, asked.decimals)
        data = {"result": result, "pair": str(results[0][0]), **quote_json.quote_fields(quotes[0])}
        if missing := absent(quotes[0]):
            data["absent"] = [quote_json.absent_source(each) for each in missing]
        answer = {"data": data, "result": result, "statusCode": 200}
    else:
        answer = {"data": {"quotes": [_short(pair, found, asked.decimals) for pair, found in results]}}
        answer["statusCode"] = 200
    begin = orjson.dumps(answer)[1:-1] + b',"timestamps":{"providerDataRequestedUnixMs":'
    middle = b',"providerDataReceivedUnixMs":%d,"answeredUnixMs":' % min(quote.received_ms for quote in quotes)
    exchange_times = [used.exchange_time_ms for quote in quotes for used in quote.sources if used.exchange_time_ms]
    indicated = b',"providerIndicatedTimeUnixMs":%d' % min(exchange_times) if exchange_times else b""
    return AnswerText(len(results), begin, middle, indicated + b"}}")


def _short(pair: Pair, result: Result, decimals: int | None) -> quote_json.Json:
    if isinstance(result, MeshError):
        return {"pair": str(pair), "error": {"code": result.reason}}
    return {"pair": str(pair), "price": _scaled(result.price, decimals)}


def _scaled(price: Decimal, decimals: int | None) -> str:
    """Return the price's text, or the integer a contract with so many decimals wants, cut as a node's pipeline does."""
    if decimals is None:
        return plain_text(price)
    return plain_text(price.scaleb(decimals, _SCALE).to_integral_value(ROUND_DOWN))
