"""TCP ports of this host that two processes would want."""

from collections.abc import Iterator

from meshkit.configuration.faults.problem import Place, Problem
from meshkit.configuration.solution import Solution


def problems(solution: Solution) -> Iterator[Problem]:
    """Yield each key whose ports another one has already, once for each pair of keys."""
    owners: dict[int, Place] = {}
    told: set[tuple[Place, Place]] = set()
    for place, ports in _claims(solution):
        for port in ports:
            other = owners.setdefault(port, place)
            if other == place or (other, place) in told:
                continue
            told.add((other, place))
            found = str(ports[0]) if len(ports) == 1 else f"the ports {ports[0]} to {ports[-1]}"
            allowed = f"ports that nothing else has; {'.'.join(map(str, other))} has {port}"
            yield Problem(place, found, allowed, because=(other, ("solution", "totalNodes")))


def _claims(solution: Solution) -> Iterator[tuple[Place, range]]:
    mesh, nodes = solution.mesh, solution.total_nodes
    place = ("solution", "mesh")
    yield ("solution", "pgPort"), _one(solution.pg_port)
    yield ("solution", "priceAggregatorConfig", "port"), _one(solution.price_aggregator_config.port)
    yield (*place, "ports", "metrics"), _one(mesh.ports.metrics)
    if mesh.devchain.enabled:
        yield (*place, "devchain", "port"), _one(mesh.devchain.port)
    if mesh.market.enabled:
        yield (*place, "market", "port"), _one(mesh.market.port)
    yield (*place, "ports", "nodeApiBase"), _each(mesh.ports.node_api_base, nodes)
    yield (*place, "ports", "nodeP2PBase"), _each(mesh.ports.node_p2p_base, nodes)


def _one(port: int) -> range:
    return range(port, port + 1)


def _each(base: int, nodes: int) -> range:
    return range(base + 1, base + nodes + 1)
