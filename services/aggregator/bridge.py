"""
The language of Chainlink bridges: what their POST carries, and the answer their parser wants.

A node sends `{"data":{…},"meta":{…}}` and takes a body with `statusCode` 200 as success. It cuts bodies at 32,768
bytes, silently, so a longer answer must be an error.
"""

from decimal import ROUND_DOWN, Context, Decimal
from typing import Annotated, Any

import orjson
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from meshkit import feeds
from meshkit.errors import InvalidInput, MeshError
from services.aggregator import body
from services.aggregator.pair import PAIR_RULE, Pair, pair_of, parse_pair
from services.aggregator.price import plain_text
from services.aggregator.quote import Quote, Result

LONGEST_ANSWER_BYTES = 32_768
MOST_PAIRS = 500
MOST_DECIMALS = 36
_FORMS = "exactly one of pair, feed, pairs, or base with quote"
_SCALE = Context(prec=100, rounding=ROUND_DOWN)

Text = Annotated[str, Field(max_length=128)]


class BridgeData(BaseModel):
    """The `data` of a request; keys that other adapters know are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    pair: Text | None = None
    feed: Text | None = None
    pairs: Annotated[list[Text], Field(min_length=1, max_length=MOST_PAIRS)] | None = None
    base: Text | None = Field(None, validation_alias=AliasChoices("base", "from", "coin"))
    quote: Text | None = Field(None, validation_alias=AliasChoices("quote", "to", "market"))
    sources: Annotated[list[Text], Field(min_length=1, max_length=20)] | None = None
    decimals: Annotated[int, Field(ge=0, le=MOST_DECIMALS)] | None = None

    def asked(self) -> list[Pair]:
        """Return the pairs asked for; raise InvalidInput naming the field if they are not given in exactly one form."""
        forms = [self.pair is not None, self.feed is not None, self.pairs is not None]
        if sum(forms) + (self.base is not None or self.quote is not None) != 1:
            raise InvalidInput("data", sorted(self.model_dump(exclude_none=True)), _FORMS)
        if self.pairs is not None:
            return [parse_pair(text, f"data.pairs.{index}") for index, text in enumerate(self.pairs)]
        if self.pair is not None:
            return [parse_pair(self.pair, "data.pair")]
        if self.feed is not None:
            feed = feeds.load().get(self.feed)
            return [parse_pair(self.feed, "data.feed") if feed is None else Pair(feed.base, feed.quote)]
        if self.base is None or self.quote is None:
            raise InvalidInput("data.quote" if self.quote is None else "data.base", None, PAIR_RULE)
        return [pair_of(self.base, self.quote, "data")]


class BridgeRequest(BaseModel):
    """The body of a request; `meta` tells the node's last answer, which must not change ours."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    id: Annotated[str, Field(max_length=128)] | int | None = None
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


def success(request: BridgeRequest, results: list[tuple[Pair, Result]], started_ms: int, now_ms: int) -> bytes:
    """
    Return the answer to a request.

    One pair gives its price as `result`, several give `data.quotes` in the order asked. Raises the pair's error, that
    of the first pair if all of several failed, and InvalidInput for more than a node reads.
    """
    quotes = [result for _, result in results if isinstance(result, Quote)]
    if not quotes:
        raise next(result for _, result in results if isinstance(result, MeshError))
    answer: body.Json = {} if request.id is None else {"jobRunID": str(request.id)}
    if request.data.pairs is None:
        result = _scaled(quotes[0].price, request.data.decimals)
        answer |= {
            "data": {"result": result, "pair": str(results[0][0]), **body.quote_fields(quotes[0])},
            "result": result,
        }
    else:
        answer |= {"data": {"quotes": [_short(pair, found, request.data.decimals) for pair, found in results]}}
    answer |= {"statusCode": 200, "timestamps": _timestamps(quotes, started_ms, now_ms)}
    text = orjson.dumps(answer)
    if len(text) >= LONGEST_ANSWER_BYTES:
        allowed = f"fewer pairs: a node reads {LONGEST_ANSWER_BYTES} bytes, the answer has {len(text)}"
        raise InvalidInput("data.pairs", len(results), allowed)
    return text


def _short(pair: Pair, result: Result, decimals: int | None) -> body.Json:
    if isinstance(result, MeshError):
        return {"pair": str(pair), "error": {"code": result.reason}}
    return {"pair": str(pair), "price": _scaled(result.price, decimals)}


def _scaled(price: Decimal, decimals: int | None) -> str:
    """Return the price's text, or the integer a contract with so many decimals wants, cut as a node's pipeline does."""
    if decimals is None:
        return plain_text(price)
    return plain_text(price.scaleb(decimals, _SCALE).to_integral_value(ROUND_DOWN))


def _timestamps(quotes: list[Quote], started_ms: int, now_ms: int) -> dict[str, int]:
    times = {
        "providerDataRequestedUnixMs": started_ms,
        "providerDataReceivedUnixMs": min(quote.received_ms for quote in quotes),
        "answeredUnixMs": now_ms,
    }
    exchange_times = [used.exchange_time_ms for quote in quotes for used in quote.sources if used.exchange_time_ms]
    if exchange_times:
        times["providerIndicatedTimeUnixMs"] = min(exchange_times)
    return times
