"""What values of a configuration demand of each other; also services refuse to read one that breaks this."""

import re
from collections.abc import Iterator
from typing import Final

from meshkit import feeds
from meshkit.configuration.faults.problem import Place, Problem
from meshkit.configuration.solution import Solution

_MESH: Final[Place] = ("solution", "mesh")
_FEWEST_ORACLES: Final = 4
_MOST_ORACLES: Final = 31
# The order of the group of secp256k1, SEC 2, 2.4.1.
_CURVE_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_LABEL_NAME: Final = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")
_LONGEST_ROLE_BYTES: Final = 63
_RESERVED_ROLES: Final = frozenset({"feedmesh", "public", "none"})


def problems(solution: Solution) -> Iterator[Problem]:
    """Yield everything that does not fit together."""
    yield from _nodes(solution)
    yield from _endpoints(solution)
    yield from _protocol(solution)
    yield from _keys(solution)
    yield from _pushes(solution)
    yield from _feed_names(solution)
    yield from _group_role(solution)


def _nodes(solution: Solution) -> Iterator[Problem]:
    place = ("solution", "totalNodes")
    expected = tuple(range(1, solution.total_nodes + 1))
    if solution.nodes_list and tuple(sorted(solution.nodes_list)) != expected:
        found = " ".join(map(str, solution.nodes_list))
        allowed = f"the nodes 1 to totalNodes ({solution.total_nodes}), each once"
        yield Problem(("solution", "nodesList"), found, allowed, because=(place,))
    if not isinstance(runtime := solution.mesh.runtime, str):
        for number in sorted(set(runtime) - {str(node) for node in expected}, key=int):
            allowed = f"the numbers of nodes, 1 to {solution.total_nodes} (totalNodes)"
            yield Problem((*_MESH, "runtime", number), f"the key {number!r}", allowed, because=(place,))
    hosts = solution.mesh.network.node_hosts
    if hosts and len(hosts) != solution.total_nodes:
        found = f"{len(hosts)} hosts"
        yield Problem(
            (*_MESH, "network", "nodeHosts"), found, f"{solution.total_nodes} hosts (totalNodes)", because=(place,)
        )
    oracles = solution.total_nodes - solution.bootstrap_nodes
    if not _FEWEST_ORACLES <= oracles <= _MOST_ORACLES:
        found = f"{solution.total_nodes}, with {solution.bootstrap_nodes} bootstrap nodes: {oracles} oracles"
        allowed = f"{_FEWEST_ORACLES} to {_MOST_ORACLES} oracles beside the bootstrap nodes"
        yield Problem(place, found, allowed, because=(("solution", "bootstrapNodes"),))


def _endpoints(solution: Solution) -> Iterator[Problem]:
    # Nodes refuse to start with two endpoints of one name or address.
    endpoints = solution.mesh.rpc_endpoints
    firsts = {
        "name": ("chainlinkNodeName", solution.chainlink_node_name),
        "httpUrl": ("chainlinkRpcHttpUrl", solution.chainlink_rpc_http_url),
        "wsUrl": ("chainlinkRpcWsUrl", solution.chainlink_rpc_ws_url),
    }
    for name, (first, value) in firsts.items():
        owners = {value: first}
        for index, endpoint in enumerate(endpoints):
            given = {"name": endpoint.name, "httpUrl": endpoint.http_url, "wsUrl": endpoint.ws_url}[name]
            owner = owners.setdefault(given, f"mesh.rpcEndpoints.{index}.{name}")
            if owner != f"mesh.rpcEndpoints.{index}.{name}":
                place = (*_MESH, "rpcEndpoints", index, name)
                yield Problem(
                    place, f"that of {owner}", "one that no other endpoint has", because=(("solution", first),)
                )


def _protocol(solution: Solution) -> Iterator[Problem]:
    ocr, place = solution.mesh.ocr, (*_MESH, "ocr")
    # Nodes ignore a configuration that breaks this, so the feed would silently stand still.
    for low, low_ms, high, high_ms in (
        ("deltaGraceMs", ocr.delta_grace_ms, "deltaRoundMs", ocr.delta_round_ms),
        ("deltaRoundMs", ocr.delta_round_ms, "deltaProgressMs", ocr.delta_progress_ms),
    ):
        if low_ms >= high_ms:
            yield Problem(
                (*place, low), str(low_ms), f"less than {high}, which is {high_ms}", because=((*place, high),)
            )
    cost = solution.mesh.keystore.scrypt_n
    if cost & (cost - 1):
        yield Problem((*_MESH, "keystore", "scryptN"), str(cost), "a power of two")


def _keys(solution: Solution) -> Iterator[Problem]:
    key = solution.faucet_private_key.get_secret_value()
    digits = key.removeprefix("0x").removeprefix("0X")
    if re.fullmatch("[0-9a-fA-F]{64}", digits) is None:
        found = f"{len(key)} characters that are not this (hidden)"
    elif not 0 < int(digits, 16) < _CURVE_ORDER:
        found = "a number that is no key (hidden)"
    else:
        return
    allowed = "a private key: 64 hexadecimal digits, perhaps after 0x"
    yield Problem(("solution", "faucetPrivateKey"), found, allowed)


def _pushes(solution: Solution) -> Iterator[Problem]:
    own, shared = solution.metrics_push, solution.price_aggregator_config.metrics_push
    for push, place in (
        (own, ("solution", "metricsPush")),
        (shared, ("solution", "priceAggregatorConfig", "metricsPush")),
    ):
        if push is None or not push.enabled:
            continue
        if push.url is None:
            allowed = "an address such as https://host/path, as enabled is true"
            yield Problem((*place, "url"), "nothing", allowed, because=((*place, "enabled"),))
        for name in push.grouping_labels:
            if not _LABEL_NAME.fullmatch(name) or name.startswith("__"):
                allowed = f"names of labels: {_LABEL_NAME.pattern}, not with __ before"
                yield Problem((*place, "groupingLabels", name), f"the label {name!r}", allowed)


def _group_role(solution: Solution) -> Iterator[Problem]:
    name = solution.pg_user
    reserved = name in _RESERVED_ROLES or name.startswith("pg_") or re.fullmatch(r"chainlink_node_\d+", name)
    if reserved or "\0" in name or len(name.encode()) > _LONGEST_ROLE_BYTES:
        allowed = (
            f"a role of at most {_LONGEST_ROLE_BYTES} bytes: not {', '.join(sorted(_RESERVED_ROLES))}, not a node's "
            "(chainlink_node_1), none that begins with pg_"
        )
        yield Problem(("solution", "pgUser"), repr(name), allowed)


def _feed_names(solution: Solution) -> Iterator[Problem]:
    rules, contracts = solution.mesh.aggregator, solution.mesh.contracts
    named: dict[Place, str] = {(*_MESH, "feeds", index): name for index, name in enumerate(solution.mesh.feeds)}
    # A template may have a name that nobody else knows; that is looked at where templates are read.
    own = contracts.addresses if solution.chainlink_feed_templates_dir is None else {}
    for section, names in (
        ((*_MESH, "contracts", "addresses"), own),
        ((*_MESH, "aggregator", "referencePrices"), rules.reference_prices),
        ((*_MESH, "aggregator", "assetClasses"), rules.asset_classes),
    ):
        named |= {(*section, name): name for name in names}
    for place, name in named.items():
        if name not in feeds.load():
            near = feeds.nearest(name)
            hint = f"; did you mean {near!r}?" if near else ""
            yield Problem(place, f"the unknown feed {name!r}", f"a feed that `feedmesh feeds --known` lists{hint}")
