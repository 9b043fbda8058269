"""What a transaction pays: decided from the settings and what the chain's last blocks paid; no network here."""

from dataclasses import dataclass

from services.oracle.chain.settings import GasEstimatorSettings

FIXED_PRICE = "FixedPrice"
# What pools ask of a replacement over the transaction in its place.
_LEAST_RAISE_PERCENT = 10


@dataclass(frozen=True, slots=True)
class Fees:
    """
    Hold what a transaction offers for each unit of gas, in wei.

    `cap_wei` is the most it pays: the gas price of the old form, or the fee cap of EIP-1559, whose tip is `tip_wei`.
    """

    cap_wei: int
    tip_wei: int | None = None


@dataclass(frozen=True, slots=True)
class Market:
    """
    Hold what the chain says about prices, in wei; None for what it does not tell.

    `suggested_wei` is a whole price, `base_fee_wei` the part of it that is burned, `tip_wei` what the last blocks'
    transactions paid above that.
    """

    suggested_wei: int | None = None
    base_fee_wei: int | None = None
    tip_wei: int | None = None


@dataclass(frozen=True, slots=True)
class Floor:
    """Hold the least that a pool takes, in wei: the tip (the price of the old form), and what must cover a base fee."""

    tip_wei: int = 0
    cap_wei: int = 0


def lifted(settings: GasEstimatorSettings, fees: Fees, floor: Floor) -> Fees:
    """Return what is offered to a pool with that floor: no less than it wants, no more than PriceMax."""
    # The base fee of the next block may be an eighth higher.
    base = floor.cap_wei + -(-floor.cap_wei // 8)
    if fees.tip_wei is None:
        return Fees(min(max(fees.cap_wei, floor.tip_wei, base), max(settings.price_max_wei, fees.cap_wei)))
    most = max(settings.price_max_wei, fees.cap_wei)
    tip = min(max(fees.tip_wei, floor.tip_wei), most)
    return Fees(min(max(fees.cap_wei, base and base + tip, tip), most), tip)


def multiplied(settings: GasEstimatorSettings, fees: Fees, factor: int) -> Fees:
    """Return a multiple of what was offered, and at least BumpMin more, within PriceMax."""

    def more(wei: int) -> int:
        return max(wei, min(max(wei * factor, wei + settings.bump_min_wei), settings.price_max_wei))

    return Fees(more(fees.cap_wei), None if fees.tip_wei is None else min(more(fees.tip_wei), more(fees.cap_wei)))


def first_fees(settings: GasEstimatorSettings, market: Market) -> Fees:
    """Return what a new transaction pays, within the configured bounds."""
    if not settings.eip1559_dynamic_fees:
        if settings.mode == FIXED_PRICE:
            return Fees(settings.price_default_wei)
        return Fees(_bounded(settings, _legacy_price(settings, market)))
    if settings.mode == FIXED_PRICE:
        # Where prices are never bumped there is no reason to leave room under the limit.
        cap = settings.fee_cap_default_wei if settings.bump_threshold else settings.price_max_wei
        cap = min(cap, settings.price_max_wei)
        return Fees(cap, min(settings.tip_cap_default_wei, cap))
    tip = settings.tip_cap_default_wei if market.tip_wei is None else market.tip_wei
    tip = min(max(tip, settings.tip_cap_min_wei), settings.price_max_wei)
    return Fees(_fee_cap(settings, market, tip), tip)


def bumped(settings: GasEstimatorSettings, paid: Fees, market: Market) -> Fees | None:
    """
    Return what takes the place of a transaction that no block took, None if the limit leaves no room for it.

    It is more by the configured percentage, by the configured minimum, and at least what a new one would pay now.
    """
    fresh = first_fees(settings, market)
    if paid.tip_wei is None:
        price = min(max(_raised(settings, paid.cap_wei), fresh.cap_wei), settings.price_max_wei)
        return Fees(price) if _replaces(price, paid.cap_wei) else None
    cap = min(max(_raised(settings, paid.cap_wei), fresh.cap_wei), settings.price_max_wei)
    tip = min(max(_raised(settings, paid.tip_wei), fresh.tip_wei or 0), cap)
    return Fees(cap, tip) if _replaces(cap, paid.cap_wei) and _replaces(tip, paid.tip_wei) else None


def _legacy_price(settings: GasEstimatorSettings, market: Market) -> int:
    if market.base_fee_wei is not None and market.tip_wei is not None:
        return market.base_fee_wei + market.tip_wei
    return settings.price_default_wei if market.suggested_wei is None else market.suggested_wei


def _fee_cap(settings: GasEstimatorSettings, market: Market, tip_wei: int) -> int:
    if market.base_fee_wei is None:
        return min(max(settings.fee_cap_default_wei, tip_wei), settings.price_max_wei)
    base = market.base_fee_wei
    # A full block raises the base fee by an eighth; the offer shall hold until it would be bumped.
    for _ in range(settings.bump_threshold + 1):
        base += -(-base // 8)
    return min(base + tip_wei, settings.price_max_wei)


def _bounded(settings: GasEstimatorSettings, price_wei: int) -> int:
    return min(max(price_wei, settings.price_min_wei), settings.price_max_wei)


def _raised(settings: GasEstimatorSettings, wei: int) -> int:
    return max(-(-wei * (100 + settings.bump_percent) // 100), wei + settings.bump_min_wei)


def _replaces(wei: int, before_wei: int) -> bool:
    return wei > before_wei and 100 * wei >= (100 + _LEAST_RAISE_PERCENT) * before_wei
