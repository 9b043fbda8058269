"""
`feedmesh feeds lint`: look for feeds that are priced by too little, or by something else than they say.

Every rule is a function from the feeds to findings. An error is a feed that could be priced wrongly or not at all, a
warning one that leans on little.
"""

import asyncio
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

import orjson

from cli.commands import source_listings as listings
from cli.commands.source_listings import Listing
from meshkit import feeds
from meshkit.configuration.aggregator import SOURCES
from meshkit.configuration.load import load
from meshkit.feeds import CanonicalPair, Feed

FEWEST_SOURCES: Final = 3
# They publish averages of the exchanges that stand beside them, and add no knowledge of their own.
COPYING: Final = frozenset({"coingecko", "cryptocompare"})

_DOLLARS: Final = frozenset({"USD", "USDT", "USDC"})
_TICKER: Final = re.compile(r"[A-Z0-9]+([.-][A-Z]+)?")
_COIN_ID: Final = re.compile(r"[a-z0-9]+([-_.][a-z0-9]+)*")
# A token on another chain, or one that a custodian or a company made, stands for the asset but has a price of its own.
_STAND_IN: Final = re.compile(r"bridged|binance-peg|tokenized|-ondo-|^backed-")

Legs = Mapping[CanonicalPair, Mapping[str, CanonicalPair]]


@dataclass(frozen=True, slots=True)
class Finding:
    """Say what a rule found at a feed."""

    severity: Literal["error", "warning"]
    rule: str
    feed: str
    message: str


def lint(known: Iterable[Feed], legs: Legs, books: Mapping[str, Listing] | None = None) -> list[Finding]:
    """Return what is wrong with the feeds, also by the listings of sources, errors first, then by feed and rule."""
    listed = list(known)
    found = [
        *_supply(listed, legs),
        *_sources(listed, legs),
        *_crosses(listed, legs),
        *_corrections(listed, legs),
        *_collisions(listed),
        *_unlisted(listed, legs, books or {}),
    ]
    return sorted(found, key=lambda finding: (finding.severity, finding.feed, finding.rule, finding.message))


def _supply(listed: list[Feed], legs: Legs) -> Iterator[Finding]:
    """Few sources, or only such as copy others; a cross feed is as good as its weaker leg."""
    priced = _priced(listed, legs)
    for feed in listed:
        if feed.kind == "market_cap":
            continue
        supplies = [feed.sources] if feed.cross is None else [priced.get(leg, {}) for leg in feed.cross]
        weakest = min(supplies, key=len)
        if not weakest:
            yield Finding(
                "error", "no-source", feed.name, "nothing prices it" if feed.cross is None else "a leg has no source"
            )
            continue
        if len(weakest) < FEWEST_SOURCES:
            names = ", ".join(sorted(weakest))
            yield Finding("warning", "few-sources", feed.name, f"{len(weakest)} of at least {FEWEST_SOURCES}: {names}")
        if any(COPYING.issuperset(supply) for supply in supplies):
            yield Finding("warning", "copies-only", feed.name, "its sources only average the prices of others")


def _sources(listed: list[Feed], legs: Legs) -> Iterator[Finding]:
    """Unknown names, pairs that are no such source's spelling, other quotes, inverted pairs, stand-ins."""
    noted = defaultdict(set, {feed.name: {note.source for note in feed.corrections} for feed in listed})
    for name, (base, quote), sources in _mappings(listed, legs):
        for source, (spelled, counter) in sources.items():
            text = f"{source} {spelled}/{counter}"
            if source not in SOURCES:
                yield Finding("error", "unknown-source", name, f"{source}; there are {', '.join(SOURCES)}")
                continue
            if (spelled.upper(), counter.upper()) == (quote.upper(), base.upper()):
                yield Finding("error", "inverted", name, f"{text} is the price the other way round")
                continue
            rule, form = (_COIN_ID, "coin id") if source == "coingecko" else (_TICKER, "ticker")
            if not rule.fullmatch(spelled):
                yield Finding("error", "symbol", name, f"{text}: {spelled!r} is not a {form}")
            if source != "coingecko" and not _is_ticker_of(spelled, base) and source not in noted[name]:
                yield Finding("warning", "other-ticker", name, f"{text} is not called {base}, and no note says why")
            if not _is_quote_of(counter, quote):
                yield Finding("error", "quote", name, f"{text} is not a price in {quote}")
            if source == "coingecko" and "frankfurter" in sources:
                yield Finding("error", "currency-by-token", name, f"{text} is a token, the feed is a state's currency")
            if source == "coingecko" and _STAND_IN.search(spelled):
                yield Finding("warning", "stand-in", name, f"{text} stands for the asset, and is not it")


def _is_ticker_of(spelled: str, base: str) -> bool:
    """Stock exchanges follow the ticker as a suffix, such as CSPX.L in London."""
    return spelled.partition(".")[0].upper() == base.removeprefix("Calculated ").upper()


def _is_quote_of(counter: str, quote: str) -> bool:
    if counter.upper() in _DOLLARS:
        return quote == "USD"
    return counter.upper() == quote.removesuffix(" Exchange Rate").upper()


def _crosses(listed: list[Feed], legs: Legs) -> Iterator[Finding]:
    """Legs that stand the wrong way round, have different quotes, or that nothing prices."""
    priced = _priced(listed, legs)
    for feed in listed:
        if feed.cross is None:
            continue
        numerator, denominator = feed.cross
        if numerator[0] == feed.quote or denominator[0] == feed.base:
            yield Finding(
                "error", "inverted", feed.name, f"{numerator[0]} is divided by what {denominator[0]} is worth"
            )
        if numerator[1] != denominator[1]:
            yield Finding("error", "quote", feed.name, f"legs in {numerator[1]} and in {denominator[1]}")
        for leg in feed.cross:
            if leg not in priced:
                yield Finding("error", "unknown-leg", feed.name, f"no feed and no leg is {leg[0]}/{leg[1]}")


def _corrections(listed: list[Feed], legs: Legs) -> Iterator[Finding]:
    """Corrections that are not in force, and pairs that a correction elsewhere calls wrong."""
    refuted = {
        (correction.source, correction.was): (feed.name, correction.reason)
        for feed in listed
        for correction in feed.corrections
        if correction.was is not None and correction.was != correction.now
    }
    for feed in listed:
        if feed.kind != "direct":
            continue
        for correction in feed.corrections:
            if correction.now != feed.sources.get(correction.source):
                yield Finding("error", "correction", feed.name, f"the note on {correction.source} is not in force")
    for name, _, sources in _mappings(listed, legs):
        for source, spelled in sources.items():
            if why := refuted.get((source, spelled)):
                text = f"{source} {'/'.join(spelled)} has no correction, {why[0]!r} has: {why[1]}"
                yield Finding("error", "uncorrected", name, text)


def _collisions(listed: list[Feed]) -> Iterator[Finding]:
    """Names that are equal, or that become equal where case or symbols are lost, as in names of files."""
    for name, count in Counter(feed.name for feed in listed).items():
        if count > 1:
            yield Finding("error", "collision", name, f"listed {count} times")
    for pair, count in Counter((feed.base, feed.quote) for feed in listed).items():
        names = sorted({feed.name for feed in listed if (feed.base, feed.quote) == pair})
        if count > 1 and len(names) > 1:
            yield Finding("error", "collision", names[0], f"{', '.join(names)} are the same pair")
    by_file: defaultdict[str, set[str]] = defaultdict(set)
    for feed in listed:
        by_file[re.sub(r"[^a-z0-9]+", "-", feed.name.lower()).strip("-")].add(feed.name)
    for file, alike in by_file.items():
        if len(alike) > 1:
            text = f"{', '.join(sorted(alike))} all become {file!r} where case and symbols are lost"
            yield Finding("warning", "collision", min(alike), text)


def _unlisted(listed: list[Feed], legs: Legs, books: Mapping[str, Listing]) -> Iterator[Finding]:
    """Pairs that their source does not list, where its listing was read."""
    for name, _, sources in _mappings(listed, legs):
        gone = [
            source
            for source, (spelled, counter) in sources.items()
            if (book := books.get(source)) is not None and not book.problem and (spelled, counter.upper()) not in book
        ]
        for source in gone:
            yield Finding("warning", "unlisted", name, f"{source} does not list {'/'.join(sources[source])}")
        if gone and len(gone) == len(sources):
            yield Finding("error", "no-source", name, "none of its sources lists it")


def _priced(listed: list[Feed], legs: Legs) -> Legs:
    return {**legs, **{(feed.base, feed.quote): feed.sources for feed in listed if feed.kind == "direct"}}


def _mappings(listed: list[Feed], legs: Legs) -> Iterator[tuple[str, CanonicalPair, Mapping[str, CanonicalPair]]]:
    for feed in listed:
        yield feed.name, (feed.base, feed.quote), feed.sources
    for pair, sources in legs.items():
        yield " / ".join(pair), pair, sources


def show(config: Path | None, offline: bool, as_json: bool) -> int:
    """
    Write the findings about all known feeds and return the exit code: 1 if one is an error.

    Unless offline, the sources' listings are asked for, where a configuration says they are.
    """
    given = None if config is None else load(config).solution.price_aggregator_config
    books = {} if offline else asyncio.run(listings.fetch(given))
    findings = lint(feeds.load().values(), feeds.legs(), books)
    errors = sum(finding.severity == "error" for finding in findings)
    summary = {"ok": not errors, "feeds": len(feeds.load()), "errors": errors, "warnings": len(findings) - errors}
    if as_json:
        told = {"listings": {source: book.summary for source, book in books.items()}}
        print(orjson.dumps({**summary, **told, "findings": [asdict(finding) for finding in findings]}).decode())
    else:
        for finding in findings:
            sys.stdout.write(f"{finding.severity:7}  {finding.rule:17}  {finding.feed}: {finding.message}\n")
        for source, book in books.items():
            sys.stdout.write(f"listing  {source:17}  {book.summary}\n")
        print(f"{summary['feeds']} feeds, {errors} errors, {summary['warnings']} warnings")
    return int(errors > 0)
