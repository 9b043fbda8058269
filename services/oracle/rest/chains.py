"""The chains, and the RPC endpoints through which they are reached."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiohttp import web

from chainlink.rpc.endpoints import Standing
from services.oracle.chain.evm_chain import EvmChain
from services.oracle.rest.config_text import toml_of
from services.oracle.rest.jsonapi import Refused, many, one, resource, shortened, window

_NETWORK = "evm"
# What the real node calls an endpoint of that standing.
STATES = {
    Standing.GOOD: "Alive",
    Standing.LAGGING: "OutOfSync",
    Standing.UNPROVEN: "Undialed",
    Standing.SILENT: "Unreachable",
    Standing.FOREIGN: "InvalidChainID",
}


class Chains:
    """Serve /v2/chains and /v2/nodes."""

    def __init__(self, chains: Mapping[int, EvmChain]) -> None:
        self._chains = chains

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the routes."""
        return (
            web.get("/v2/chains", self._list),
            web.get("/v2/chains/{network}", self._list),
            web.get("/v2/chains/{network}/{id}", self._get),
            web.get("/v2/chains/{network}/{id}/nodes", self._nodes_of_chain),
            web.get("/v2/nodes", self._nodes),
            web.get("/v2/nodes/evm/forwarders", _no_forwarders),
            web.get("/v2/nodes/{network}", self._nodes),
        )

    async def _list(self, request: web.Request) -> web.Response:
        return many(request, [_chain(chain) for chain in self._of_network(request)])

    async def _get(self, request: web.Request) -> web.Response:
        network, chain_id = request.match_info["network"], request.match_info["id"]
        found = [chain for chain in self._of_network(request) if chain.settings.chain_id == chain_id]
        if not found:
            text = f"not found: error getting chain status: relayer does not exist: {{{network} {chain_id}}}"
            raise Refused(400, shortened(text))
        return one(_chain(found[0]))

    async def _nodes(self, request: web.Request) -> web.Response:
        return many(request, [node for chain in self._of_network(request) for node in _nodes(chain)])

    async def _nodes_of_chain(self, request: web.Request) -> web.Response:
        network, chain_id = request.match_info["network"], request.match_info["id"]
        window(request)
        found = [chain for chain in self._of_network(request) if chain.settings.chain_id == chain_id]
        if not found:
            raise Refused(500, shortened(f"error getting paged node: relayer {network}.{chain_id} does not exist"))
        return many(request, _nodes(found[0]))

    def _of_network(self, request: web.Request) -> Sequence[EvmChain]:
        if request.match_info.get("network", _NETWORK) != _NETWORK:
            return ()
        return sorted(self._chains.values(), key=lambda chain: chain.settings.number)


async def _no_forwarders(request: web.Request) -> web.Response:
    return many(request, ())


def _chain(chain: EvmChain) -> dict[str, Any]:
    attributes = {"network": _NETWORK, "enabled": chain.settings.enabled, "config": toml_of(chain.settings)}
    return resource("chain", chain.settings.chain_id, attributes)


def _nodes(chain: EvmChain) -> list[dict[str, Any]]:
    chain_id = chain.settings.chain_id
    return [
        resource(
            "node",
            f"{chain_id}/{node.name}",
            {
                "chainID": chain_id,
                "name": node.name,
                "config": toml_of(node),
                "state": STATES[chain.rpc.book.standing(index)],
            },
        )
        for index, node in enumerate(chain.settings.nodes)
    ]
