"""What would leave a feed, or all of them, without rounds."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import orjson

from meshkit import feeds
from meshkit.configuration.faults.problem import Place, Problem, Remark
from meshkit.configuration.feeds.served_feeds import feed_list, served_feeds
from meshkit.configuration.solution import Solution
from meshkit.feeds import Feed
from meshkit.ocr.timing import observation_timeout_ms
from meshkit.paths import DataDir, SecretsDir

NEEDS_KEY: Final = frozenset({"alphavantage", "cryptocompare", "exchangeratehost", "finnhub"})
"""Sources that give no prices without a key."""
_EARLIER_FILE: Final = "feeds.json"
_MESH: Final[Place] = ("solution", "mesh")
_SOURCES: Final[Place] = ("solution", "priceAggregatorConfig", "sources")


def problems(solution: Solution) -> Iterator[Problem]:
    """Yield each feed without a contract or without sources, and what ends observations too soon."""
    mesh = solution.mesh
    listing = feed_list(solution)
    if not mesh.feeds and not listing.served and not listing.problems:
        yield Problem((*_MESH, "feeds"), "none", "at least one feed; `feedmesh feeds --known` lists them")
    known = frozenset() if mesh.contracts.deploy else deployed(solution)
    listed = {feed.name: feed for feed in listing.served}
    for index, name in enumerate(mesh.feeds):
        place = (*_MESH, "feeds", index)
        if name in mesh.feeds[:index]:
            yield Problem(place, f"{name} again", "each feed once")
        elif (
            not mesh.contracts.deploy
            and name not in known
            and ((served := listed.get(name)) is None or served.address is None)
        ):
            allowed = "an address in solution.mesh.contracts.addresses, or true for solution.mesh.contracts.deploy"
            yield Problem(place, f"{name}, which has no contract", allowed, because=((*_MESH, "contracts"),))
        if (feed := feeds.load().get(name)) is not None:
            yield from _supply(solution, feed, place)
    timeout_ms = observation_timeout_ms(mesh.ocr.delta_round_ms, mesh.ocr.delta_grace_ms)
    request_ms = solution.price_aggregator_config.quotes.request_timeout_ms
    # The job of a template says itself how long an observation may take.
    if request_ms > timeout_ms and (mesh.feeds or not listing.served):
        place = ("solution", "priceAggregatorConfig", "quotes", "requestTimeoutMs")
        allowed = f"at most {timeout_ms}, the time of an observation: 3/4 of deltaRoundMs − deltaGraceMs, 1 s to 20 s"
        yield Problem(place, str(request_ms), allowed, because=((*_MESH, "ocr"),))


def remarks(solution: Solution) -> Iterator[Remark]:
    """Yield what is given and changes nothing because something else is missing."""
    served = {feed.name for feed in served_feeds(solution)}
    for name in solution.mesh.contracts.addresses:
        if name in feeds.load() and name not in served:
            yield Remark(f"solution.mesh.contracts.addresses.{name}", "has no effect: it is not in solution.mesh.feeds")
    given = solution.price_aggregator_config
    if given.pairs_file_path is not None and not Path(given.pairs_file_path).is_file():
        text = f"no pairs are registered at the start: there is no file {given.pairs_file_path}"
        yield Remark("solution.priceAggregatorConfig.pairsFilePath", text)
    for name, source in given.sources.items():
        if source.enabled and name in NEEDS_KEY and not _has_key(solution, name):
            yield Remark(".".join(map(str, (*_SOURCES, name))), "the source stays off: it needs an apiKey")
        if source.enabled and source.use_proxy is True and given.proxy is None:
            text = "the source stays off: it asks for priceAggregatorConfig.proxy, which is not set"
            yield Remark(".".join(map(str, (*_SOURCES, name, "useProxy"))), text)


def usable_sources(solution: Solution) -> frozenset[str]:
    """Return the sources that will be asked: on, with a key where one is needed, with a proxy where one is wanted."""
    given = solution.price_aggregator_config
    return frozenset(
        name
        for name, source in given.sources.items()
        if source.enabled
        and (name not in NEEDS_KEY or _has_key(solution, name))
        and (source.use_proxy is not True or given.proxy is not None)
    )


def _has_key(solution: Solution, name: str) -> bool:
    key = next(
        (each.api_key for other, each in solution.price_aggregator_config.sources.items() if other == name), None
    )
    return key is not None and bool(key.get_secret_value().strip())


def _supply(solution: Solution, feed: Feed, place: Place) -> Iterator[Problem]:
    usable = usable_sources(solution)
    if feed.kind == "market_cap":
        figures = solution.price_aggregator_config.market_data.coingecko_global
        if not figures.enabled or "coingecko" not in solution.price_aggregator_config.sources:
            allowed = "marketData.coingeckoGlobal.enabled, and coingecko among the sources"
            yield Problem(place, f"{feed.name}, which nothing prices", allowed, because=(_SOURCES,))
        return
    for pair, mapped in priced_by(feed):
        there = usable & set(mapped)
        least = min(solution.mesh.aggregator.minimum_sources, len(mapped))
        if len(there) < least:
            found = f"{feed.name}, of whose sources of {pair} {', '.join(sorted(there)) or 'none'} can be asked"
            allowed = f"at least {least} of {', '.join(sorted(mapped))}, each on and with its key"
            yield Problem(place, found, allowed, because=(_SOURCES, (*_MESH, "aggregator", "minimumSources")))


def priced_by(feed: Feed) -> Iterator[tuple[str, Mapping[str, tuple[str, str]]]]:
    """Yield each pair that a feed is made of, with its spelling by source."""
    if feed.cross is None:
        yield f"{feed.base}/{feed.quote}", feed.sources
        return
    direct = {(each.base, each.quote): each.sources for each in feeds.load().values() if each.kind == "direct"}
    for leg in feed.cross:
        yield "/".join(leg), {**feeds.legs(), **direct}.get(leg, {})


def deployed(solution: Solution) -> frozenset[str]:
    """Return the feeds that were given a contract by an earlier run, as the operator remembers it."""
    data, secrets = DataDir(solution.mesh.data_dir.absolute()), SecretsDir(Path(solution.sp_secrets_dir))
    # The second is where it was kept before, and is taken over by the operator.
    for path in (secrets.contracts, data.operator / _EARLIER_FILE):
        try:
            document = orjson.loads(path.read_bytes())
            if document["chainId"] == solution.chainlink_chain_id:
                return frozenset(document["feeds"])
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
            continue
    return frozenset()
