"""What sources call the assets of the known feeds, and what they are known to price otherwise than they say."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from meshkit import feeds
from meshkit.feeds import CanonicalPair, Correction, Feed

COIN_IDS: Final = "coingecko"
"""The source that prices coins by ids of its own, where all others have tickers."""
CURRENCY_SOURCES: Final = frozenset({"frankfurter", "exchangeratehost"})
"""Sources that price states' money and precious metals, and nothing else."""
COIN_SOURCES: Final = frozenset({"binance", "bybit", "coinbase", "cryptocompare", "kraken", "kucoin", "okx"})
"""Sources on which no shares are traded."""
_SHARES: Final = "yahoofinance"
_METALS: Final = frozenset({"XAU", "XAG", "XPD", "XPT"})
# What a currency's tokens are named after beside its code: ISO 4217 and the names that people use.
CURRENCIES: Final[Mapping[str, tuple[str, ...]]] = {
    "AED": ("dirham",),
    "ARS": ("peso",),
    "AUD": ("australian-dollar",),
    "BRL": ("real",),
    "CAD": ("canadian-dollar",),
    "CHF": ("franc",),
    "CLP": ("peso",),
    "CNY": ("yuan", "renminbi"),
    "COP": ("peso",),
    "CZK": ("koruna",),
    "DKK": ("krone",),
    "EUR": ("euro",),
    "GBP": ("pound", "sterling"),
    "HKD": ("hong-kong-dollar",),
    "HUF": ("forint",),
    "IDR": ("rupiah",),
    "ILS": ("shekel",),
    "INR": ("rupee",),
    "ISK": ("krona",),
    "JPY": ("yen",),
    "KRW": ("won",),
    "MXN": ("peso",),
    "MYR": ("ringgit",),
    "NGN": ("naira",),
    "NOK": ("krone",),
    "NZD": ("new-zealand-dollar",),
    "PEN": ("sol-peruano",),
    "PHP": ("peso",),
    "PLN": ("zloty",),
    "RON": ("leu",),
    "RUB": ("ruble", "rouble"),
    "SAR": ("riyal",),
    "SEK": ("krona",),
    "SGD": ("singapore-dollar",),
    "THB": ("baht",),
    "TRY": ("lira",),
    "TWD": ("taiwan-dollar",),
    "UAH": ("hryvnia",),
    "VND": ("dong",),
    "ZAR": ("rand",),
}
_ISSUERS_LETTERS: Final = frozenset("cdest")
# Kraken's names of its own for what everybody else calls otherwise.
_ALIASES: Final = {"XBT": "BTC", "XDG": "DOGE"}
_STAND_IN: Final = re.compile(r"(?:^|.*-)(?:bridged|binance-peg)-(?P<of>.+)")
_TOKENISED: Final = re.compile(r"(?:^|-)(?:tokeni[sz]ed|ondo|xstock|bstocks)(?:-|$)|^backed-")


@dataclass(frozen=True, slots=True)
class KnownAssets:
    """
    Hold what is known of assets, whatever feed they are in.

    Attributes:
        symbols: What a source calls an asset, by source and asset.
        assets: Which assets a source means by a symbol, by source and symbol.
        refuted: Why a source's pair prices something else than it says, or nothing that trades.
        named: All known symbols of an asset, of all sources.
    """

    symbols: Mapping[tuple[str, str], frozenset[str]]
    assets: Mapping[tuple[str, str], frozenset[str]]
    refuted: Mapping[tuple[str, CanonicalPair], Correction]
    named: Mapping[str, frozenset[str]]


@cache
def known_assets() -> KnownAssets:
    """Return what the known feeds and their legs teach."""
    symbols: dict[tuple[str, str], set[str]] = defaultdict(set)
    assets: dict[tuple[str, str], set[str]] = defaultdict(set)
    named: dict[str, set[str]] = defaultdict(set)
    refuted: dict[tuple[str, CanonicalPair], Correction] = {}
    mappings = [((feed.base, feed.quote), feed.sources) for feed in feeds.load().values()]
    for (base, _), sources in (*mappings, *feeds.legs().items()):
        asset = asset_of(base)
        for source, (symbol, _) in sources.items():
            symbols[source, asset].add(symbol)
            assets[source, symbol].add(asset)
            named[asset].add(symbol)
    for feed in feeds.load().values():
        for correction in feed.corrections:
            if correction.was is not None and correction.was != correction.now and correction.source != "cross":
                refuted[correction.source, correction.was] = correction
    return KnownAssets(
        _frozen(symbols), _frozen(assets), refuted, {key: frozenset(each) for key, each in named.items()}
    )


def _frozen(sets: Mapping[tuple[str, str], set[str]]) -> dict[tuple[str, str], frozenset[str]]:
    return {key: frozenset(each) for key, each in sets.items()}


def legs_of(name: str) -> tuple[str, str]:
    """Return base and quote asset of a feed's name; the quote is empty if the name is no pair."""
    known: Feed | None = feeds.load().get(name)
    if known is not None and known.cross is not None:
        return known.cross[0][0], known.cross[1][0]
    base, _, quote = name.partition(" / ")
    return asset_of(base), quote.strip().removesuffix(" Exchange Rate")


def asset_of(base: str) -> str:
    """Return the asset of a feed's base, which some names call calculated."""
    return base.strip().removeprefix("Calculated ")


def ticker(symbol: str) -> str:
    """Return a symbol in capitals, without the suffix of an exchange (`CSPX.L`) and by its usual name."""
    bare = symbol.partition(".")[0].upper()
    return _ALIASES.get(bare, bare)


def is_currency(asset: str) -> bool:
    """Tell whether an asset is a state's money."""
    return asset in CURRENCIES


def is_priced_by(source: str, asset: str, known: KnownAssets) -> bool:
    """Tell whether a source has prices of an asset's kind at all; of what nobody knows, it may."""
    if source in CURRENCY_SOURCES:
        return is_currency(asset) or asset == "USD" or asset in _METALS
    if source not in COIN_SOURCES or is_currency(asset) or (_SHARES, asset) not in known.symbols:
        return True
    return any((name, asset) in known.symbols for name in COIN_SOURCES)


def names_currency(coin_id: str, currency: str) -> bool:
    """
    Tell whether a coin's id says that it promises a currency.

    A word of it is, or ends with, code or name, or is the code and a letter that issuers add: `euro-coin`, `gyen`,
    `eurs`.
    """
    words, code = coin_id.split("-"), currency.lower()
    if any(word[:-1] == code and word[-1:] in _ISSUERS_LETTERS for word in words):
        return True
    return any(word.endswith(name) for name in (code, *CURRENCIES.get(currency, ())) for word in (*words, coin_id))


def is_stand_in(coin_id: str) -> bool:
    """Tell whether a coin's id says that it stands for another asset: bridged, pegged, or a tokenised security."""
    return _STAND_IN.match(coin_id) is not None or _TOKENISED.search(coin_id) is not None


def stands_for(coin_id: str, asset: str, known: KnownAssets) -> bool:
    """Tell whether a stand-in's id names an asset, by its ticker or by the id of the asset's own coin."""
    match = _STAND_IN.match(coin_id)
    named = coin_id if match is None else match["of"]
    ids = {asset.lower(), *known.symbols.get((COIN_IDS, asset), ())}
    if match is None:
        return True
    return any(f"{named}-".startswith(f"{each}-") or named == each.replace("-", "") for each in ids)
