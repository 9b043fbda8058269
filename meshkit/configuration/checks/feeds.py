"""What feeds of all three places demand: templates, addresses, and the settings of single feeds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from meshkit import feeds
from meshkit.configuration.aggregator import SOURCES
from meshkit.configuration.checks.chain import too_short
from meshkit.configuration.checks.rounds import deployed
from meshkit.configuration.faults.problem import Place, Problem, Remark
from meshkit.configuration.feeds.served_feeds import TEMPLATES_PLACE, FeedList, ServedFeed, feed_list
from meshkit.configuration.feeds.timings import is_set, setting_of
from meshkit.configuration.mesh import FeedSettings
from meshkit.configuration.node_program import wanted_runtime
from meshkit.configuration.solution import Solution
from meshkit.ethereum.address import checksummed
from meshkit.job_templates.template import JobTemplate
from meshkit.ocr.timing import observation_timeout_ms

_SETTINGS: Final[Place] = ("solution", "mesh", "feedSettings")


def problems(solution: Solution) -> Iterator[Problem]:
    """Yield what keeps a feed from being served as it is given."""
    listing = feed_list(solution)
    yield from listing.problems
    yield from _contracts(solution, listing)
    yield from _names(solution, listing)
    served = {feed.name: feed for feed in listing.served}
    for name, settings in solution.mesh.feed_settings.items():
        if (feed := served.get(name)) is not None:
            yield from _settings(solution, feed, settings)


def remarks(solution: Solution) -> Iterator[Remark]:
    """Yield what has no effect, and what templates evidently price otherwise than they say."""
    listing = feed_list(solution)
    directory = solution.chainlink_feed_templates_dir
    where = ".".join(map(str, TEMPLATES_PLACE))
    if directory is not None and not listing.templates and not Path(directory).is_dir():
        yield Remark(where, f"no feed comes from there: there is no directory {directory}")
    for name, reason in listing.unused.items():
        yield Remark(where, f"the template of {name} has no effect: {reason}")
    for name in solution.mesh.feed_settings:
        if name in feeds.load() and name not in listing.names:
            yield Remark(f"solution.mesh.feedSettings.{name}", "has no effect: the feed is not served")
    if not listing.templates:
        return
    # Here, since most files have no templates, and what is known of assets takes a while to gather.
    from meshkit.job_templates.findings import findings

    used = [each for each in listing.templates if not isinstance(each, JobTemplate) or each.name not in listing.unused]
    found = [each for each in findings(used, SOURCES) if each.feed]
    for each in found:
        # Collisions are faults and told as such.
        if each.severity == "error" and each.rule != "name-collision":
            yield Remark(f"{where}.{each.file}", f"{each.feed} is priced wrongly ({each.rule}): {each.message}")
    if warnings := sum(each.severity == "warning" for each in found):
        yield Remark(where, f"{warnings} doubts about prices; `feedmesh feeds import {directory}` lists them")


def _contracts(solution: Solution, listing: FeedList) -> Iterator[Problem]:
    """Yield each template without a contract, and addresses of the file that are two feeds' or mistyped."""
    known = frozenset() if solution.mesh.contracts.deploy else deployed(solution)
    owners: dict[str, str] = {}
    for feed in listing.served:
        place: Place = ("solution", "mesh", "contracts", "addresses")
        if feed.address is None:
            if feed.template is not None and not solution.mesh.contracts.deploy and feed.name not in known:
                allowed = (
                    "an address in solution.mesh.contracts.addresses or in feed-cas.json, or true for "
                    "solution.mesh.contracts.deploy"
                )
                where = (*TEMPLATES_PLACE, feed.template.file)
                yield Problem(where, f"{feed.name}, which has no contract", allowed, because=(place,))
            continue
        of_file = feed.name not in solution.mesh.contracts.addresses
        owner = owners.setdefault(feed.address.lower(), feed.name)
        if not of_file:
            # What is wrong with these is said where all addresses of the configuration are looked at.
            continue
        file: Place = ("solution", "mesh", "contracts", "addressesFile")
        if owner != feed.name:
            found = f"{feed.address} of {feed.name}, the contract of {owner}"
            yield Problem(file, found, "a contract for each feed of its own")
        digits = feed.address[2:]
        if digits not in (digits.lower(), digits.upper()) and feed.address != checksummed(feed.address):
            found = f"{feed.address} of {feed.name}, with a wrong checksum"
            yield Problem(file, found, "an address whose checksum is right (EIP-55), or in small letters")


def _names(solution: Solution, listing: FeedList) -> Iterator[Problem]:
    """Yield settings and, where templates may have names of their own, addresses of feeds that nobody knows."""
    there = {*listing.names, *listing.unused, *feeds.load()}
    of_templates = solution.chainlink_feed_templates_dir is not None
    sections: dict[Place, tuple[str, ...]] = {_SETTINGS: tuple(solution.mesh.feed_settings)}
    if of_templates:
        sections["solution", "mesh", "contracts", "addresses"] = tuple(solution.mesh.contracts.addresses)
    for section, names in sections.items():
        for name in names:
            if name not in there:
                near = feeds.nearest(name)
                hint = f"; did you mean {near!r}?" if near else ""
                or_template = ", or one of a template" if listing.templates else ""
                allowed = f"a feed that `feedmesh feeds --known` lists{or_template}{hint}"
                yield Problem((*section, name), f"the unknown feed {name!r}", allowed, because=(TEMPLATES_PLACE,))


def _settings(solution: Solution, feed: ServedFeed, settings: FeedSettings) -> Iterator[Problem]:
    place, ocr = (*_SETTINGS, feed.name), ("solution", "mesh", "ocr")
    because = (("solution", "chainlinkChainId"), ocr)
    for name, found_ms, allowed in too_short(feed.timings, solution.chainlink_chain_id):
        # What is that of all feeds is said of all feeds.
        if is_set(settings, name):
            yield Problem((*place, setting_of(name)), str(found_ms), allowed, because=because)
    given = feed.timings
    for low, low_ms, high, high_ms in (
        ("delta_grace_ms", given.delta_grace_ms, "delta_round_ms", given.delta_round_ms),
        ("delta_round_ms", given.delta_round_ms, "delta_progress_ms", given.delta_progress_ms),
    ):
        if low_ms >= high_ms and (is_set(settings, low) or is_set(settings, high)):
            key = low if is_set(settings, low) else high
            allowed = f"{setting_of(low)} ({low_ms}) less than {setting_of(high)} ({high_ms})"
            yield Problem((*place, setting_of(key)), str(getattr(given, key)), allowed, because=(ocr,))
    request_ms = solution.price_aggregator_config.quotes.request_timeout_ms
    longest_ms = observation_timeout_ms(given.delta_round_ms, given.delta_grace_ms)
    own_round = is_set(settings, "delta_round_ms") or is_set(settings, "delta_grace_ms")
    if feed.template is None and own_round and request_ms > longest_ms:
        key = "delta_round_ms" if is_set(settings, "delta_round_ms") else "delta_grace_ms"
        allowed = (
            f"a round that leaves at least quotes.requestTimeoutMs ({request_ms}) for an observation, which has "
            f"{longest_ms}: 3/4 of deltaRoundMs − deltaGraceMs, 1 s to 20 s"
        )
        yield Problem((*place, setting_of(key)), str(getattr(given, key)), allowed, because=(ocr,))
    if feed.template is not None:
        if settings.decimals not in (None, feed.decimals):
            allowed = f"{feed.decimals}, to which the template multiplies, or nothing"
            yield Problem((*place, "decimals"), str(settings.decimals), allowed)
        if settings.ocr_version != 1:
            yield Problem((*place, "ocrVersion"), str(settings.ocr_version), "1: the template is a job of OCR1")
    if settings.ocr_version == 2 and (nodes := _embedded(solution)):
        runtime = ("solution", "mesh", "runtime")
        if isinstance(solution.mesh.runtime, str):
            allowed = "1 with the runtime embedded, whose nodes do not speak OCR2"
        else:
            numbers = ", ".join(map(str, nodes))
            allowed = f"1 with the runtime embedded of nodes {numbers}, which do not speak OCR2"
        yield Problem((*place, "ocrVersion"), "2", allowed, because=(runtime,))


def _embedded(solution: Solution) -> tuple[int, ...]:
    """Return the nodes that are to run our own program, whatever there is."""
    nodes = range(1, solution.total_nodes + 1)
    return tuple(node for node in nodes if wanted_runtime(solution.mesh.runtime, node) == "embedded")
