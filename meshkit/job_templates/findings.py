"""
What is evidently wrong with job templates, and what is doubtful: rules over what a template asks, one by one.

An error is a price of something else than the name says, or none; a warning is a price that leans on little.
The rules know assets (`known_assets`), never single templates.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from meshkit import feeds
from meshkit.job_templates import known_assets
from meshkit.job_templates.known_assets import COIN_IDS, KnownAssets, legs_of, ticker
from meshkit.job_templates.price_pipeline import MARKET_DATA, Asked, Input, decimals_of
from meshkit.job_templates.template import SUFFIX, BadTemplate, JobTemplate

FEWEST_SOURCES: Final = 3
_DOLLARS: Final = frozenset({"USD", "USDT", "USDC"})


@dataclass(frozen=True, slots=True)
class Finding:
    """Say what a rule found in a template; `feed` is empty where the file has no name."""

    severity: Literal["error", "warning"]
    rule: str
    feed: str
    file: str
    message: str


def findings(templates: Iterable[JobTemplate | BadTemplate], sources: Collection[str]) -> tuple[Finding, ...]:
    """
    Return what is wrong with templates and between them, errors first, then by file.

    `sources` are the names of all sources that the aggregator has.
    """
    given = list(templates)
    read = [template for template in given if isinstance(template, JobTemplate)]
    known = known_assets.known_assets()
    found = [
        Finding("error", "unreadable", "", bad.file, f"{bad.found}; allowed: {bad.allowed}")
        for bad in given
        if isinstance(bad, BadTemplate)
    ]
    for template in read:
        for severity, rule, message in _of_one(template, known, sources):
            found.append(Finding(severity, rule, template.name, template.file, message))
    found += _collisions(read)
    return tuple(sorted(dict.fromkeys(found), key=lambda each: (each.severity, each.file, each.rule, each.message)))


def file_name(name: str) -> str:
    """Return the file name that existing deployments give a feed's template: `usd0-usd.toml` for `USD0++ / USD`."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") + SUFFIX


def folded(name: str) -> str:
    """Return a name without what people forget: case and spaces."""
    return "".join(name.casefold().split())


_Said = tuple[Literal["error", "warning"], str, str]


def _of_one(template: JobTemplate, known: KnownAssets, sources: Collection[str]) -> Iterator[_Said]:
    inputs = template.pipeline.inputs
    for oddity in template.pipeline.oddities:
        yield "error", "pipeline", oddity
    if not inputs:
        yield "error", "pipeline", "it asks no source"
        return
    base, quote = legs_of(template.name)
    if not quote:
        yield "error", "name", f"{template.name!r} is no pair such as BTC / USD"
        return
    for each in inputs:
        yield from _source(each, sources)
        yield from _pair(each, template.name, base, quote, known)
    yield from _mixed(inputs)
    yield from _supply(inputs)
    yield from _scale(template)


def _source(each: Input, sources: Collection[str]) -> Iterator[_Said]:
    for asked in _asked(each):
        if asked.source not in sources and asked.source != MARKET_DATA:
            yield "error", "unknown-source", f"{asked.source}; there are {', '.join(sources)}"
        if asked.source != MARKET_DATA and asked.path != "price":
            yield "error", "path", f"{asked}: {asked.path!r} of the answer, not 'price'"
    if each.denominator is not None and each.denominator.source != each.numerator.source:
        yield "error", "mixed-source", f"{each.numerator} is divided by {each.denominator}"


def _pair(each: Input, name: str, base: str, quote: str, known: KnownAssets) -> Iterator[_Said]:
    above, below = each.numerator, each.denominator
    if above.source == MARKET_DATA:
        feed = feeds.load().get(name)
        if feed is None or feed.kind != "market_cap" or above.quote.upper() != quote.upper():
            yield "error", "other-asset", f"the value of all coins in {above.quote}, not {base} in {quote}"
        return
    if below is None:
        if _means(above, quote, known) and ticker(above.quote) == ticker(base):
            yield "error", "inverted", f"{above} is the price the other way round"
            return
        yield from _symbol(above, base, known)
        if not _is_quote(above.quote, quote):
            yield "error", "quote", f"{above} is not a price in {quote}"
        return
    if _means(above, quote, known) and _means(below, base, known) and not _means(above, base, known):
        yield "error", "inverted", f"{above} is divided by {below}: {base} is worth the inverse of that in {quote}"
        return
    yield from _symbol(above, base, known)
    yield from _symbol(below, quote, known)
    if not _is_quote(above.quote, below.quote) and not _is_quote(below.quote, above.quote):
        yield "error", "quote", f"{above} is divided by {below}, a price in another currency"


def _means(asked: Asked, asset: str, known: KnownAssets) -> bool:
    """Tell whether a source means an asset by its symbol, as far as that can be known."""
    if asked.base in known.symbols.get((asked.source, asset), ()):
        return True
    if asked.source == COIN_IDS:
        return known_assets.is_stand_in(asked.base) and known_assets.stands_for(asked.base, asset, known)
    return ticker(asked.base) == ticker(asset)


def _is_quote(found: str, wanted: str) -> bool:
    same = found.upper() == wanted.upper()
    return same or (found.upper() in _DOLLARS and wanted.upper() in _DOLLARS)


def _symbol(asked: Asked, asset: str, known: KnownAssets) -> Iterator[_Said]:
    """Yield what is wrong with the symbol that a source is asked for an asset."""
    if not known_assets.is_priced_by(asked.source, asset, known):
        yield "error", "wrong-source", f"{asked}: {asked.source} has no prices of what {asset} is"
        return
    right = known.symbols.get((asked.source, asset), frozenset())
    if asked.base in right and not (asked.source == COIN_IDS and known_assets.is_currency(asset)):
        if asked.source == COIN_IDS and known_assets.is_stand_in(asked.base):
            yield "warning", "stand-in", f"{asked} stands for {asset}, and is not it"
    elif asked.source == COIN_IDS:
        yield from _coin(asked, asset, right, known)
        return
    elif ticker(asked.base) != ticker(asset) and asked.base not in known.named.get(asset, ()):
        meant = known.assets.get((asked.source, asked.base), frozenset())
        is_what = f"that is {', '.join(sorted(meant))}, not {asset}" if meant else f"it is not called {asset}"
        yield "error", "other-asset", f"{asked}: {is_what}"
        return
    correction = known.refuted.get((asked.source, (asked.base, asked.quote)))
    if correction is not None and asked.base not in right:
        yield "error", "stale-venue", f"{asked}: {correction.reason}"


def _coin(asked: Asked, asset: str, right: frozenset[str], known: KnownAssets) -> Iterator[_Said]:
    coin = asked.base
    correction = known.refuted.get((asked.source, (coin, asked.quote)))
    because = f": {correction.reason}" if correction is not None else ""
    if known_assets.is_currency(asset):
        if known_assets.names_currency(coin, asset):
            yield "warning", "stand-in", f"{asked} is a token that promises {asset}, and is not it"
        else:
            yield "error", "wrong-coin", f"{asked} is a coin, and {asset} a state's currency{because}"
        return
    if known_assets.is_stand_in(coin) and known_assets.stands_for(coin, asset, known):
        yield "warning", "stand-in", f"{asked} stands for {asset}, and is not it"
        return
    if right:
        yield "error", "wrong-coin", f"{asked}: the coin {asset} is {', '.join(sorted(right))}{because}"
        return
    if meant := known.assets.get((asked.source, coin)):
        yield "error", "other-asset", f"{asked}: that is {', '.join(sorted(meant))}, not {asset}"
        return
    yield "warning", "unconfirmed", f"{asked}: no known feed says which coin {asset} is"


def _mixed(inputs: Sequence[Input]) -> Iterator[_Said]:
    """Yield each leg for which the sources are asked for different tickers: then the median is of two assets."""
    for leg, asked in (
        ("", [each.numerator for each in inputs]),
        ("denominator: ", [each.denominator for each in inputs if each.denominator is not None]),
    ):
        by_ticker: dict[str, list[str]] = defaultdict(list)
        for one in asked:
            if one.source not in (COIN_IDS, MARKET_DATA):
                by_ticker[ticker(one.base)].append(one.source)
        if len(by_ticker) > 1:
            told = "; ".join(f"{name} at {', '.join(sources)}" for name, sources in sorted(by_ticker.items()))
            yield "error", "mixed-asset", f"{leg}{told}"


def _supply(inputs: Sequence[Input]) -> Iterator[_Said]:
    sources = [each.numerator.source for each in inputs]
    for name in sorted({name for name in sources if sources.count(name) > 1}):
        yield "error", "doubled", f"{name} is in the median {sources.count(name)} times"
    if len(set(sources)) < FEWEST_SOURCES and MARKET_DATA not in sources:
        names = ", ".join(sorted(set(sources)))
        yield "warning", "few-sources", f"{len(set(sources))} of at least {FEWEST_SOURCES}: {names}"


def _scale(template: JobTemplate) -> Iterator[_Said]:
    odd = [each for each in template.pipeline.inputs if decimals_of(each.scale) is None]
    for each in odd:
        text = "nothing" if each.scale is None else f"{each.scale:f}"
        yield "error", "decimals", f"{each.numerator} is multiplied by {text}, not by a power of ten"
    found = sorted({decimals_of(each.scale) for each in template.pipeline.inputs} - {None}, key=str)
    if len(found) > 1:
        yield "error", "decimals", f"its values have {', '.join(map(str, found))} decimals, so their median is none"
    feed = feeds.load().get(template.name)
    if feed is not None and len(found) == 1 and not odd and found[0] != feed.decimals:
        yield "error", "decimals", f"it multiplies to {found[0]} decimals, and the feed has {feed.decimals}"


def _collisions(templates: Sequence[JobTemplate]) -> Iterator[Finding]:
    """Yield each template that has another one's name or job id, or that a name of its kind has overwritten."""
    names: dict[str, JobTemplate] = {}
    ids: dict[str, JobTemplate] = {}
    by_file: dict[str, list[str]] = defaultdict(list)
    for name in feeds.load():
        by_file[file_name(name)].append(name)
    for template in templates:
        first = names.setdefault(template.name, template)
        if first is not template:
            # The file that is not named after what it says is the one that is wrong.
            wrong, right = (template, first) if file_name(template.name) != template.file else (first, template)
            if file_name(wrong.name) == wrong.file:
                wrong, right = template, first
            message = f"its name is that of {right.file}; nodes take one job of a name"
            yield Finding("error", "name-collision", wrong.name, wrong.file, message)
        for other in names.values():
            if other is not template and folded(other.name) == folded(template.name) and other.name != template.name:
                # Of names that differ so, two feeds are known: USDe and USDE.
                if {other.name, template.name} <= feeds.load().keys():
                    continue
                message = f"its name differs from {other.name!r} of {other.file} only in case or spaces"
                yield Finding("warning", "similar-name", template.name, template.file, message)
        if template.external_job_id:
            owner = ids.setdefault(template.external_job_id.lower(), template)
            if owner is not template:
                message = f"its externalJobID is that of {owner.file}"
                yield Finding("error", "id-collision", template.name, template.file, message)
        for name in by_file.get(file_name(template.name), ()):
            if name != template.name:
                message = f"its file would also be that of {name}, which may be lost"
                yield Finding("warning", "file-collision", template.name, template.file, message)


def _asked(each: Input) -> Iterator[Asked]:
    yield each.numerator
    if each.denominator is not None:
        yield each.denominator
