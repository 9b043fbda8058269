"""The keys: lists, and import and export in Chainlink's formats."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
from aiohttp import web

from chainlink.keys.evm import EvmKey
from chainlink.keys.ocr1 import OcrKeyBundle
from chainlink.keys.p2p import P2pKey
from chainlink.keys.peer_id import TEXT_PREFIX
from chainlink.rpc.errors import ChainError, RpcUnavailable
from meshkit.errors import AlreadyExists, NotFound
from services.oracle.chain.evm_chain import EvmChain
from services.oracle.keys.sealed_keyring import Keyring
from services.oracle.rest.jsonapi import MEDIA_TYPE, Refused, body, many, natural, one, resource

_WEI_PER_ETHER = 10**18


class Keys:
    """Serve /v2/keys."""

    def __init__(self, ring: Keyring, chains: Mapping[int, EvmChain]) -> None:
        self._ring = ring
        self._chains = chains
        self._started = datetime.now(UTC)

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the routes."""
        return (
            web.get("/v2/keys/evm", self._list_evm),
            web.post("/v2/keys/evm", self._create_evm),
            web.delete("/v2/keys/evm/{id}", self._delete_evm),
            web.post("/v2/keys/evm/import", self._import_evm),
            web.post("/v2/keys/evm/export/{id}", self._export_evm),
            web.get("/v2/keys/p2p", self._list_p2p),
            web.post("/v2/keys/p2p", self._create_p2p),
            web.delete("/v2/keys/p2p/{id}", self._delete_p2p),
            web.post("/v2/keys/p2p/import", self._import_p2p),
            web.post("/v2/keys/p2p/export/{id}", self._export_p2p),
            web.get("/v2/keys/ocr", self._list_ocr),
            web.post("/v2/keys/ocr", self._create_ocr),
            web.post("/v2/keys/ocr/import", self._import_ocr),
            web.post("/v2/keys/ocr/export/{id}", self._export_ocr),
            web.delete("/v2/keys/ocr/{id}", self._delete_ocr),
        )

    async def _list_evm(self, request: web.Request) -> web.Response:
        items = [
            await self._evm(key, chain_id)
            for key in sorted(self._ring.evm.values(), key=lambda key: key.address)
            for chain_id in self._chains
        ]
        return many(request, items, size=1000)

    async def _create_evm(self, request: web.Request) -> web.Response:
        chain_id = self._chain_id(request)
        key = EvmKey.generate()
        await self._ring.add(key)
        return one(await self._evm(key, chain_id))

    async def _delete_evm(self, request: web.Request) -> web.Response:
        key = await self._ring.remove("evm", request.match_info["id"])
        if not isinstance(key, EvmKey):
            raise NotFound("key", request.match_info["id"])
        return one(await self._evm(key, next(iter(self._chains))))

    async def _import_evm(self, request: web.Request) -> web.Response:
        chain_id = self._chain_id(request)
        export = await body(request, 500)
        key = await asyncio.to_thread(EvmKey.from_export, dict(export), _password(request, "oldpassword"))
        try:
            await self._ring.add(key)
        except AlreadyExists as error:
            raise Refused(500, "Key already exists") from error
        return one(await self._evm(key, chain_id))

    async def _export_evm(self, request: web.Request) -> web.Response:
        return await _export(self._ring.evm, request)

    async def _list_p2p(self, request: web.Request) -> web.Response:
        return many(request, [_p2p(key) for key in self._ring.p2p.values()], size=1000)

    async def _create_p2p(self, _: web.Request) -> web.Response:
        key = P2pKey.generate()
        await self._ring.add(key)
        return one(_p2p(key))

    async def _delete_p2p(self, request: web.Request) -> web.Response:
        key = await self._ring.remove("p2p", request.match_info["id"].removeprefix(TEXT_PREFIX))
        if not isinstance(key, P2pKey):
            raise NotFound("key", request.match_info["id"])
        return one(_p2p(key))

    async def _import_p2p(self, request: web.Request) -> web.Response:
        export = await body(request, 500)
        key = await asyncio.to_thread(P2pKey.from_export, dict(export), _password(request, "oldpassword"))
        try:
            await self._ring.add(key)
        except AlreadyExists as error:
            raise Refused(500, f"key {key.peer_id}: Key already exists") from error
        return one(_p2p(key))

    async def _export_p2p(self, request: web.Request) -> web.Response:
        return await _export(self._ring.p2p, request)

    async def _list_ocr(self, request: web.Request) -> web.Response:
        return many(request, [_ocr(bundle) for bundle in self._ring.ocr.values()], size=1000)

    async def _create_ocr(self, _: web.Request) -> web.Response:
        bundle = OcrKeyBundle.generate()
        await self._ring.add(bundle)
        return one(_ocr(bundle))

    async def _import_ocr(self, request: web.Request) -> web.Response:
        export = await body(request, 500)
        bundle = await asyncio.to_thread(OcrKeyBundle.from_export, dict(export), _password(request, "oldpassword"))
        try:
            await self._ring.add(bundle)
        except AlreadyExists as error:
            raise Refused(500, f"key with ID {bundle.id} already exists") from error
        # The real node answers with the private keys in clear; nobody needs that.
        return one(_ocr(bundle))

    async def _export_ocr(self, request: web.Request) -> web.Response:
        return await _export(self._ring.ocr, request)

    async def _delete_ocr(self, request: web.Request) -> web.Response:
        bundle = await self._ring.remove("ocr", request.match_info["id"])
        if not isinstance(bundle, OcrKeyBundle):
            raise NotFound("key", request.match_info["id"])
        return one(_ocr(bundle))

    def _chain_id(self, request: web.Request) -> int:
        text = request.query.get("evmChainID", "")
        if not text:
            raise Refused(500, "chainID is empty")
        number = natural(text, 2**63 - 1)
        if number is None:
            raise Refused(400, f"evmChainID: found {text!r}, allowed: a number")
        if number not in self._chains:
            raise Refused(404, f"chain {text} not found")
        return number

    async def _evm(self, key: EvmKey, chain_id: int) -> dict[str, Any]:
        return resource(
            "eTHKeys",
            f"{chain_id}/{key.address}",
            {
                "evmChainID": str(chain_id),
                "address": key.address,
                "ethBalance": await self._balance(key.address, chain_id),
                "linkBalance": None,
                "disabled": False,
                "createdAt": self._started.isoformat(),
                "updatedAt": self._started.isoformat(),
                "maxGasPriceWei": str(self._chains[chain_id].settings.gas_estimator.price_max_wei),
            },
        )

    async def _balance(self, address: str, chain_id: int) -> str | None:
        try:
            wei = await self._chains[chain_id].rpc.number("eth_getBalance", address, "latest")
        except (RpcUnavailable, ChainError):
            return None
        return f"{Decimal(wei) / _WEI_PER_ETHER:.18f}"


def _p2p(key: P2pKey) -> dict[str, Any]:
    attributes = {"peerId": TEXT_PREFIX + key.peer_id, "publicKey": key.public_key.hex()}
    return resource("encryptedP2PKeys", key.peer_id, attributes)


def _ocr(bundle: OcrKeyBundle) -> dict[str, Any]:
    return resource("keyV2s", bundle.id, bundle.public())


def _password(request: web.Request, name: str) -> str:
    return request.query.get(name, "")


async def _export(ring: Mapping[str, EvmKey | P2pKey | OcrKeyBundle], request: web.Request) -> web.Response:
    wanted = request.match_info["id"].removeprefix(TEXT_PREFIX)
    if wanted not in ring:
        raise NotFound("key", wanted)
    export = await asyncio.to_thread(ring[wanted].export, _password(request, "newpassword"))
    return web.Response(body=orjson.dumps(export), content_type=MEDIA_TYPE)
