"""Which hosts a configuration names, and how they may be spoken with."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from meshkit.configuration.checks.default_provider_addresses import REST
from meshkit.configuration.faults.problem import Place, Problem, Remark
from meshkit.configuration.node_program import wanted_runtime
from meshkit.configuration.solution import Solution
from meshkit.egress.hosts import allows, is_loopback

_SECURE: Final = ("https", "wss")
_AGGREGATOR: Final[Place] = ("solution", "priceAggregatorConfig")


def problems(solution: Solution) -> Iterator[Problem]:
    """Yield each address beyond this host that would be spoken with in clear, or that egress does not allow."""
    asked = [(place, url, True) for place, url in addresses(solution)]
    # What goes through a proxy is encrypted to its end.
    for place, url, carries in (*asked, *((place, url, False) for place, url in proxies(solution))):
        parts = urlsplit(url)
        host = parts.hostname or ""
        if is_loopback(host):
            continue
        if carries and parts.scheme not in _SECURE:
            allowed = f"{'wss' if parts.scheme == 'ws' else 'https'} to any host but this one"
            yield Problem(place, f"{parts.scheme} to {host}", allowed)
        egress = solution.mesh.egress
        if egress is not None and not allows(egress, host):
            allowed = f"a host of solution.mesh.egress: {', '.join(egress) or 'none'}"
            yield Problem(place, f"the host {host}", allowed, because=(("solution", "mesh", "egress"),))


def remarks(solution: Solution) -> Iterator[Remark]:
    """Yield that the list of hosts does not hold Chainlink's own program, whose configuration knows no such list."""
    if solution.mesh.egress is None:
        return
    others = [n for n in range(1, solution.total_nodes + 1) if wanted_runtime(solution.mesh.runtime, n) != "embedded"]
    if others:
        nodes = f"node{'s' if len(others) > 1 else ''} {', '.join(map(str, others))}"
        text = f"has no effect on what jobs ask where a node runs Chainlink's own program, as {nodes} may"
        yield Remark("solution.mesh.egress", text)


def addresses(solution: Solution) -> Iterator[tuple[Place, str]]:
    """Yield every address that a process of ours asks, but for proxies: RPC, sources that are on, receivers."""
    yield ("solution", "chainlinkRpcHttpUrl"), solution.chainlink_rpc_http_url
    yield ("solution", "chainlinkRpcWsUrl"), solution.chainlink_rpc_ws_url
    for index, endpoint in enumerate(solution.mesh.rpc_endpoints):
        yield ("solution", "mesh", "rpcEndpoints", index, "httpUrl"), endpoint.http_url
        yield ("solution", "mesh", "rpcEndpoints", index, "wsUrl"), endpoint.ws_url
    for name, source in solution.price_aggregator_config.sources.items():
        if source.enabled:
            yield (*_AGGREGATOR, "sources", name, "baseUrl"), source.base_url or REST[name]
        if source.enabled and source.stream.ws_url is not None:
            yield (*_AGGREGATOR, "sources", name, "stream", "wsUrl"), source.stream.ws_url
    for push, place in (
        (solution.metrics_push, ("solution", "metricsPush", "url")),
        (solution.price_aggregator_config.metrics_push, (*_AGGREGATOR, "metricsPush", "url")),
    ):
        if push is not None and push.enabled and push.url is not None:
            yield place, push.url


def proxies(solution: Solution) -> Iterator[tuple[Place, str]]:
    """Yield the address of every proxy that sources are asked through."""
    given = solution.price_aggregator_config
    if given.proxy is not None:
        yield (*_AGGREGATOR, "proxy"), given.proxy
    for name, source in given.sources.items():
        if source.enabled and isinstance(source.use_proxy, str):
            yield (*_AGGREGATOR, "sources", name, "useProxy"), source.use_proxy
