"""`feedmesh check --online`: what the chain, the contracts, the sources and the receivers say to a configuration."""

import asyncio
import os
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import aiohttp
from rich.table import Table

from chainlink.keys.evm import EvmKey
from chainlink.rpc import http
from chainlink.rpc.errors import RateLimited, RpcRefused
from chainlink.rpc.http import Transport
from cli import terminal
from cli.commands import source_listings
from cli.json_output import print_json
from meshkit import feeds
from meshkit.configuration import start_check
from meshkit.configuration.aggregator import MetricsPush
from meshkit.configuration.checks import hosts_and_https, rounds
from meshkit.configuration.checks.chain import TRANSMISSION_GAS
from meshkit.configuration.feeds.served_feeds import served_feeds
from meshkit.configuration.solution import Solution
from meshkit.egress.connector import EgressConnector
from meshkit.egress.hosts import hosts_of
from meshkit.errors import Internal
from meshkit.http.failure_words import in_words
from meshkit.push import config as push
from meshkit.push.errors import PushRefused
from meshkit.push.requests import Requests

_TIMEOUT_S: Final = 10.0
# The selector of owner(), the first four bytes of its Keccak-256.
_OWNER: Final = "0x8da5cb5b"
_NO_CODE: Final = "0x"
_TRANSFER_GAS: Final = 21_000


@dataclass(frozen=True, slots=True)
class Finding:
    """Say what was asked, what came, and whether a mesh could live with that; `warning` if it could, but badly."""

    what: str
    found: str
    verdict: Literal["ok", "warning", "error"]


def run(config: Path, as_json: bool) -> int:
    """Ask everything at once, show a table, and return the exit code: 1 if something would not work."""
    solution = start_check.valid(config.absolute(), os.environ).solution
    findings = asyncio.run(ask(solution))
    errors = sum(finding.verdict == "error" for finding in findings)
    if as_json:
        rows = [{"what": each.what, "found": each.found, "verdict": each.verdict} for each in findings]
        print_json({"ok": not errors, "findings": rows})
    else:
        table = Table("asked", "found", "", box=None, pad_edge=False)
        colours = {"ok": "green", "warning": "yellow", "error": "red"}
        for each in findings:
            table.add_row(each.what, each.found, f"[{colours[each.verdict]}]{each.verdict}[/]")
        terminal.console().print(table)
    return int(errors > 0)


async def ask(solution: Solution) -> list[Finding]:
    """Return every finding: endpoints first, then contracts, balances, sources, receivers."""
    allowed = solution.mesh.egress
    if allowed is None:
        named = (url for _, url in (*hosts_and_https.addresses(solution), *hosts_and_https.proxies(solution)))
        allowed = tuple(hosts_of(named))
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(connector=EgressConnector(allowed), timeout=timeout) as session:
        chain = _Chain(solution, Transport(session, _TIMEOUT_S))
        groups: list[Awaitable[list[Finding]]] = [
            chain.endpoints(),
            chain.contracts(),
            chain.balances(),
            _sources(solution),
            _receivers(solution, session),
        ]
        return [finding for group in await asyncio.gather(*groups) for finding in group]


class _Chain:
    def __init__(self, solution: Solution, transport: Transport) -> None:
        self._solution = solution
        self._transport = transport

    async def endpoints(self) -> list[Finding]:
        """Ask every endpoint for its chain id."""
        solution = self._solution
        urls = {solution.chainlink_node_name: solution.chainlink_rpc_http_url}
        urls |= {each.name: each.http_url for each in solution.mesh.rpc_endpoints}
        return list(await asyncio.gather(*(self._endpoint(name, url) for name, url in urls.items())))

    async def _endpoint(self, name: str, url: str) -> Finding:
        what, wanted = f"chain id at {name}", self._solution.chainlink_chain_id
        answer = await self._ask(url, "eth_chainId")
        if isinstance(answer, Finding):
            return _named(answer, what)
        found = _number(answer)
        if found != wanted:
            return Finding(what, f"{found}, allowed: {wanted}", "error")
        return Finding(what, str(found), "ok")

    async def contracts(self) -> list[Finding]:
        """Ask for the code and the owner at each address of the file."""
        given = {feed.name: feed.address for feed in served_feeds(self._solution) if feed.address is not None}
        addresses = self._solution.mesh.contracts.addresses | given
        found = await asyncio.gather(*(self._contract(feed, address) for feed, address in addresses.items()))
        return [finding for group in found for finding in group]

    async def _contract(self, feed: str, address: str) -> list[Finding]:
        url = self._solution.chainlink_rpc_http_url
        code = await self._ask(url, "eth_getCode", address, "latest")
        what = f"contract of {feed}"
        if isinstance(code, Finding):
            return [_named(code, what)]
        if code in (_NO_CODE, None):
            return [Finding(what, f"no code at {address}", "error")]
        owner = await self._ask(url, "eth_call", {"to": address, "data": _OWNER}, "latest")
        mine = self._faucet()
        if isinstance(owner, Finding):
            return [Finding(what, f"code at {address}", "ok"), _named(owner, f"owner of {feed}")]
        held = f"0x{str(owner)[-40:]}".lower()
        if held != mine.lower():
            # What is configured already goes on without it.
            text = f"{held}, not the faucet's account {mine}: it cannot be configured anew"
            return [Finding(what, f"code at {address}", "ok"), Finding(f"owner of {feed}", text, "warning")]
        return [Finding(what, f"code at {address}", "ok"), Finding(f"owner of {feed}", mine, "ok")]

    async def balances(self) -> list[Finding]:
        """Ask what the faucet has, and compare it with a top-up of each oracle and its gas."""
        solution, account = self._solution, self._faucet()
        what = f"balance of the faucet {account}"
        answer = await self._ask(solution.chainlink_rpc_http_url, "eth_getBalance", account, "latest")
        if isinstance(answer, Finding):
            return [_named(answer, what)]
        found_wei = _number(answer) or 0
        oracles = solution.total_nodes - solution.bootstrap_nodes
        each_wei = solution.faucet_topup_wei + _TRANSFER_GAS * solution.chainlink_gas_price
        if found_wei < each_wei:
            return [Finding(what, f"{found_wei} wei, allowed: at least {each_wei}, one top-up with its gas", "error")]
        if found_wei < oracles * each_wei:
            text = f"{found_wei} wei, less than {oracles * each_wei} for a top-up of each of {oracles} oracles"
            return [Finding(what, text, "warning")]
        left = (found_wei // solution.chainlink_gas_price // TRANSMISSION_GAS) if solution.chainlink_gas_price else None
        return [Finding(what, f"{found_wei} wei" + (f", {left} transmissions" if left is not None else ""), "ok")]

    def _faucet(self) -> str:
        key = self._solution.faucet_private_key.get_secret_value().removeprefix("0x")
        return EvmKey(bytes.fromhex(key)).address

    async def _ask(self, url: str, method: str, *params: object) -> Any:
        """Return the answer, or a finding that says why there is none."""
        try:
            return await self._transport.ask(url, method, params)
        except (*http.FAILURES, RpcRefused, RateLimited) as error:
            return Finding("", f"no answer to {method}: {in_words(error, url)}", "error")


def _named(finding: Finding, what: str) -> Finding:
    return Finding(what, finding.found, finding.verdict)


def _number(answer: object) -> int | None:
    try:
        return int(str(answer), 16)
    except ValueError:
        return None


async def _sources(solution: Solution) -> list[Finding]:
    """Ask the sources that are on, and that list what they have, whether they have the pairs of the feeds."""
    usable = rounds.usable_sources(solution)
    listed = await source_listings.fetch(solution.price_aggregator_config, usable, solution.mesh.egress)
    return [
        finding
        for name, listing in sorted(listed.items())
        for finding in _listing(name, listing, _pairs(solution, name))
    ]


def _listing(name: str, listing: source_listings.Listing, pairs: list[tuple[str, str]]) -> Iterator[Finding]:
    if listing.problem:
        yield Finding(f"listing of {name}", listing.problem, "warning")
        return
    gone = ["/".join(pair) for pair in pairs if (pair[0], pair[1].upper()) not in listing]
    if gone:
        yield Finding(f"listing of {name}", f"{listing.summary}, but not {', '.join(gone)}", "warning")
    else:
        yield Finding(f"listing of {name}", f"{listing.summary}, with all {len(pairs)} pairs of the feeds", "ok")


def _pairs(solution: Solution, source: str) -> list[tuple[str, str]]:
    """Return the pairs that a source is asked for, in its own spelling."""
    served = [feeds.get(name) for name in solution.mesh.feeds]
    mapped = [sources for feed in served for _, sources in rounds.priced_by(feed)]
    inputs = [each for feed in served_feeds(solution) if feed.template for each in feed.template.pipeline.inputs]
    asked = [one for each in inputs for one in (each.numerator, each.denominator) if one is not None]
    of_templates = ((one.base, one.quote) for one in asked if one.source == source)
    return list(dict.fromkeys((*(sources[source] for sources in mapped if source in sources), *of_templates)))


async def _receivers(solution: Solution, session: aiohttp.ClientSession) -> list[Finding]:
    """Send an empty push to each receiver, as its pushes will be, but one that replaces nothing."""
    pushes: list[tuple[str, MetricsPush | None]] = [
        ("solution.metricsPush", solution.metrics_push),
        ("solution.priceAggregatorConfig.metricsPush", solution.price_aggregator_config.metrics_push),
    ]
    return [await _receiver(place, each, session) for place, each in pushes if each is not None and each.enabled]


async def _receiver(place: str, section: MetricsPush, session: aiohttp.ClientSession) -> Finding:
    what, config = f"receiver of {place}", push.read(section, place, "POST")
    if config is None:
        raise Internal(f"{place} is enabled, and gives no push")
    probe, headers = Requests(config).probe(), dict(config.headers)
    if config.username is not None:
        headers["Authorization"] = aiohttp.encode_basic_auth(config.username, config.password or "", encoding="utf-8")
    try:
        async with session.request(
            probe.method,
            probe.address,
            data=probe.body,
            headers={**headers, **probe.headers},
            ssl=push.trusting(config.ca_file),
            allow_redirects=False,
        ) as response:
            status = response.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        # Metrics that are lost cost no rounds.
        return Finding(what, f"not reached: {in_words(error, str(probe.address))}", "warning")
    except PushRefused as error:
        return Finding(what, error.detail, "warning")
    return Finding(what, f"HTTP {status}", "ok" if 200 <= status < 300 else "warning")
