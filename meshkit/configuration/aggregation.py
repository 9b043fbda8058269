"""`solution.mesh.aggregator`: which prices are believed, and how those of several sources become one."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, GetJsonSchemaHandler, StringConstraints, model_validator

from meshkit.configuration.aggregator import SourceName
from meshkit.configuration.model import Section, without_effect

Bps = Annotated[int, Field(ge=1, le=1_000_000)]
DecimalText = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,30}(\.[0-9]{1,30})?$")]
AssetClassName = Literal["stablecoins", "majors", "others"]


class _ByClass(Section):
    """Basis points by the class of the asset; one number stands for all classes."""

    @model_validator(mode="before")
    @classmethod
    def _one_for_all(cls, given: Any) -> Any:
        is_number = isinstance(given, int) and not isinstance(given, bool)
        return dict.fromkeys(get_args(AssetClassName), given) if is_number else given

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> Any:
        """Return the schema, with the one number beside the object."""
        return {"anyOf": [handler(core_schema), {"type": "integer", "minimum": 1, "maximum": 1_000_000}]}


class MaxSpread(_ByClass):
    """How far apart prices that agree may be, in basis points, by the class of the asset."""

    stablecoins: Bps = Field(50, description="Coins meant to be worth a dollar or a euro.")
    majors: Bps = Field(200, description="BTC, ETH, BNB, SOL, XRP and large currencies, in money or in each other.")
    others: Bps = Field(500, description="All other assets.")


class JumpGuard(_ByClass):
    """How far a price may be from the last one without a majority's word, in basis points, by the asset's class."""

    stablecoins: Bps = Field(100, description="Coins meant to be worth a dollar or a euro.")
    majors: Bps = Field(500, description="BTC, ETH, BNB, SOL, XRP and large currencies, in money or in each other.")
    others: Bps = Field(1_000, description="All other assets.")


class SingleSourceMove(_ByClass):
    """How far the price of a feed with a single source may move in a minute, in basis points, by the asset's class."""

    stablecoins: Bps = Field(50, description="Coins meant to be worth a dollar or a euro.")
    majors: Bps = Field(200, description="BTC, ETH, BNB, SOL, XRP and large currencies, in money or in each other.")
    others: Bps = Field(500, description="All other assets.")


class Aggregation(Section):
    """Which prices are believed, and how those of several sources become one; docs/prices.md explains the rules."""

    minimum_sources: int = Field(
        2, ge=1, le=13, description="Fresh sources that a price needs; all of them where fewer are mapped to the feed."
    )
    max_spread_bps: MaxSpread | None = Field(
        MaxSpread(),
        description="How far apart the prices of the majority that makes a price may be, in basis points: by the class "
        "of the asset, or one number for all; null to allow any distance.",
    )
    older_yields_ms: int = Field(
        60_000,
        ge=1_000,
        description="Where half of the sources disagree with the other half, prices that are older than the newest by "
        "so much, by the exchanges' own clocks, do not count.",
    )
    outlier_deviation_bps: int = Field(
        200,
        ge=1,
        le=10_000,
        description="A source this near to the price is never told as an outlier, in basis points.",
    )
    outlier_mad_factor: float = Field(
        3,
        gt=0,
        le=100,
        description="Beyond that, a source is an outlier if it is so many standard deviations from the price, "
        "estimated as 1.4826 times the median absolute deviation. Only where there are three sources or more.",
    )
    jump_guard_bps: JumpGuard | None = Field(
        JumpGuard(),
        description="How far a price may be from the last one, in basis points, without a majority of all configured "
        "sources, of every kind: by the class of the asset, or one number for all; null to accept any.",
    )
    single_source_move_bps: SingleSourceMove = Field(
        SingleSourceMove(),
        description="How far the price of a feed with a single source may move in a minute, in basis points: by the "
        "class of the asset, or one number for all.",
    )
    move_hold_ms: int = Field(
        60_000,
        ge=0,
        le=3_600_000,
        description="How long a move beyond the guard has to last that every fresh source agrees on, but no majority "
        "of all configured ones, or only one of a single kind.",
    )
    first_price_hold_ms: int = Field(
        2_000,
        ge=0,
        le=3_600_000,
        description="How long the first price after a start has to last if nothing confirms it: no last answer on "
        "chain, and no majority.",
    )
    reference_wait_ms: int = Field(
        5_000,
        ge=0,
        le=60_000,
        description="How long first prices wait for the last answers on chain, where the operator service is there.",
    )
    reference_prices: dict[str, DecimalText] = Field(
        {},
        description="By feed name, a price that is known to be right, in place of the last answer on chain: the way "
        "out after a share was split or a coin got another unit.",
    )
    asset_classes: dict[str, AssetClassName] = Field(
        {}, description="By feed name, another class of the asset than its own."
    )
    jump_confirmations: int = without_effect(
        3, "a source that repeats itself proves nothing; moveHoldMs and the other sources decide.", ge=2, le=100
    )
    max_age_ms: dict[SourceName, Annotated[int, Field(ge=1000)]] = Field(
        {}, description="Oldest price by the exchange's clock, by source; absent for the source's own."
    )
    weights: dict[SourceName, Annotated[float, Field(gt=0, le=1000)]] = Field(
        {}, description="How much a source counts in a median of three or more, by source; absent for 1 or copyWeight."
    )
    copy_weight: float = Field(
        0.6,
        gt=0,
        le=1000,
        description="How much a source counts that repeats or averages others: coingecko, cryptocompare, finnhub. With "
        "0.6 as many exchanges outweigh them, and two of them outweigh a single exchange. In majorities they count 1.",
    )
    stablecoins: Literal["mapped", "converted"] = Field(
        "converted",
        description="A price in USDT and the like is converted by the coin's own live price, or counts as one in USD, "
        "unchecked, where the feed's mapping says so.",
    )
    stablecoin_deviation_bps: int = Field(
        100,
        ge=1,
        le=1_000,
        description="While a coin's own price is not known, a price in it is taken as it stands only within so many "
        "basis points of the median of the prices in dollars.",
    )
