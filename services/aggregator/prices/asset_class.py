"""What kind of asset a pair prices: honest prices of a dollar coin lie nearer together than those of a small coin."""

from enum import StrEnum
from typing import Final

from services.aggregator.prices.pair import Pair

# Coins meant to be worth a dollar, or a euro.
_STABLE: Final = """
    USDT USDC DAI BUSD FDUSD TUSD USDP USDS USDE USD1 PYUSD RLUSD LUSD GHO CRVUSD USR USDF USDTB DEUSD FRAX FRXUSD OUSDT
    USD0 GUSD USDD USDG EURC EURS EURT
"""
_MONEY: Final = "USD EUR GBP JPY CHF AUD CAD NZD SEK NOK DKK SGD CNY HKD"
_LARGE: Final = "BTC ETH BNB SOL XRP"
STABLECOINS: Final = frozenset(_STABLE.split())
_CURRENCIES: Final = frozenset(_MONEY.split())
_COINS: Final = frozenset(_LARGE.split())
_MAJORS: Final = _CURRENCIES | _COINS


class AssetClass(StrEnum):
    """Tell how much honest prices of a pair differ; the values are the names in the configuration."""

    STABLECOINS = "stablecoins"
    MAJORS = "majors"
    OTHERS = "others"


def asset_class(pair: Pair) -> AssetClass:
    """Return the class of a pair by its assets, without regard to case."""
    base, quote = pair.upper()
    is_money = quote in _CURRENCIES or quote in STABLECOINS
    if base in STABLECOINS and is_money:
        return AssetClass.STABLECOINS
    if base in _MAJORS and (is_money or quote in _COINS):
        return AssetClass.MAJORS
    return AssetClass.OTHERS
