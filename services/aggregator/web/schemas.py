"""What HTTP answers look like: models for the OpenAPI document, and for those who check answers against it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

DecimalText = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$", examples=["65123.45"])]
Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", examples=["2026-01-31T12:00:00.000Z"])]
PairList = Annotated[list[str], Field(min_length=2, max_length=2, examples=[["BTC", "USD"]])]


class Answer(BaseModel):
    """An answer with all its fields."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class Root(Answer):
    """A greeting."""

    message: str
    timestamp: Time


class SourceHealth(BaseModel):
    """One source; more fields may follow."""

    model_config = ConfigDict(alias_generator=to_camel, extra="allow", frozen=True)

    available: bool
    fresh_pairs: int
    registered_pairs: int
    last_error: str


class Health(BaseModel):
    """Whether there are fresh prices, and of which sources; more fields may follow."""

    model_config = ConfigDict(alias_generator=to_camel, extra="allow", frozen=True)

    status: str
    sources: dict[str, SourceHealth]


class Ready(Answer):
    """Whether what is registered has prices."""

    status: Literal["ready", "no fresh price"]
    fresh_pairs: int


class SourcePrice(Answer):
    """One source's price."""

    source: str
    pair: PairList
    price: DecimalText
    received_at: Time
    exchange_time: Time | None = None


class LeftOutPrice(SourcePrice):
    """A source's fresh price that does not agree with the price of its feed, and why it does not count."""

    verdict: Literal["outlier", "older", "unit"]


class EntryError(Answer):
    """Why there is no price of a pair."""

    code: str
    message: str | None = None


class BatchEntry(BaseModel):
    """A pair with its price, or with an error; more fields may follow."""

    model_config = ConfigDict(alias_generator=to_camel, extra="allow", frozen=True)

    pair: str
    price: DecimalText | None = None
    status: Literal["fresh", "degraded"] | None = None
    spread_bps: DecimalText | None = None
    received_at: Time | None = None
    sources: list[SourcePrice] | None = None
    left_out: list[LeftOutPrice] | None = None
    notes: list[str] | None = None
    error: EntryError | None = None


class Batch(Answer):
    """The entries in the order asked for."""

    timestamp: Time
    quotes: list[BatchEntry]


class Bridge(BaseModel):
    """What a node's bridge task reads; `result` is there unless several pairs were asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    job_run_id: Annotated[str | None, Field(alias="jobRunID")] = None
    data: dict[str, Any]
    result: DecimalText | None = None
    status_code: Annotated[Literal[200], Field(alias="statusCode")]
    timestamps: dict[str, int]


class FailureName(Answer):
    """An error's name, for programs, and its text."""

    name: str
    message: str


class JudgedPrice(SourcePrice):
    """A source's fresh price, and what became of it the last time that the feed's price was made; empty for nothing."""

    verdict: Literal["used", "outlier", "older", "unit", "apart", ""]


class AbsentSource(Answer):
    """Why a source has no fresh price, and when its last one was."""

    source: str
    pair: PairList
    verdict: Literal["refused", "failed", "stale", "silent"]
    reason: str | None = None
    rule: str | None = None
    message: str | None = None
    last_price_at: Time | None = None


class Failure(Answer):
    """Every failed request's answer; that of a bridge's single pair has the sources of its feed besides."""

    status_code: int
    timestamp: Time
    message: str
    error: FailureName
    metadata: dict[str, str] | None = None
    sources: list[JudgedPrice] | None = None
    absent: list[AbsentSource] | None = None


class CachedPrice(Answer):
    """A registered pair and its price, if one is fresh."""

    pair: PairList
    cached_price: DecimalText | None = None
    received_at: Time | None = None
    cached_at: Time | None = None


class RegisteredPair(CachedPrice):
    """A registered pair with its moments; one that has not come yet is in 1970."""

    source: str
    registered_at: Time
    last_fetch_at: Time
    last_response_at: Time
    last_request_at: Time


class Pairs(Answer):
    """The registered pairs of all sources."""

    pairs: list[RegisteredPair]


class SourcePairs(Answer):
    """The registered pairs of one source."""

    source: str
    pairs: list[CachedPrice]


class Refusal(Answer):
    """One reason why there was no price; the rule is that which a price broke that was there."""

    reason: str
    rule: str
    count: int
    last_at: Time
    pair: PairList
    message: str


class SourceState(Answer):
    """How a source is doing; moments that have not come are null."""

    source: str
    enabled: bool
    available: bool
    circuit: Literal["closed", "open", "half_open"] | None
    registered_pairs: int
    fresh_pairs: int
    last_success_at: Time | None
    last_error: str
    silent_until: Time | None
    stream_connected: bool | None
    last_stream_at: Time | None
    refusals: list[Refusal]


class Sources(Answer):
    """All configured sources."""

    sources: list[SourceState]


class RefusedPair(Answer):
    """Whether a pair has a price, and why it had none since the start."""

    pair: PairList
    is_fresh: bool
    refusals: list[Refusal]


class Source(SourceState):
    """A source with its registered pairs."""

    pairs: list[RefusedPair]


class Global(BaseModel):
    """The value of all coins by currency, and what belongs to it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    total_market_cap: Annotated[dict[str, float], Field(alias="totalMarketCap")]
    total_volume: Annotated[dict[str, float], Field(alias="totalVolume")]
    market_cap_percentage: Annotated[dict[str, float], Field(alias="marketCapPercentage")]
    market_cap_change: Annotated[float, Field(alias="marketCapChangePercentage24h")]
    active_cryptocurrencies: Annotated[int, Field(alias="activeCryptocurrencies")]
    markets: int
    updated_at: Annotated[Time, Field(alias="updatedAt")]


class GlobalStatus(Answer):
    """How old the value of all coins is."""

    enabled: bool
    available: bool
    data_age_ms: int | None
    last_update_at: Time | None


class Document(BaseModel):
    """An OpenAPI document."""

    model_config = ConfigDict(extra="allow", frozen=True)

    openapi: Literal["3.1.0"]
    paths: dict[str, Any]
