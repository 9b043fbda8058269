"""The keys of accounts."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from chainlink.keys.evm import EvmKey
from chainlink.rpc.errors import ChainError, RpcUnavailable
from meshkit.errors import AlreadyExists
from services.oracle import go_texts
from services.oracle.chain.evm_chain import EvmChain
from services.oracle.keys.sealed_keyring import Keyring
from services.oracle.rest.jsonapi import MEDIA_TYPE, Refused, all_of, one, resource, shortened, timestamp
from services.oracle.rest.keys import imports

_LONGEST_NUMBER = 78
_ADDRESS_DIGITS = 40


class EvmKeys:
    """Serve /v2/keys/evm, and what of its old name /v2/keys/eth works."""

    def __init__(self, ring: Keyring, chains: Mapping[int, EvmChain]) -> None:
        self._ring = ring
        self._chains = chains
        self._started = datetime.now(UTC)

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the routes."""
        return (
            web.get("/v2/keys/evm", self._list),
            web.post("/v2/keys/evm", self._create),
            web.delete("/v2/keys/evm/{id}", self._delete),
            web.post("/v2/keys/evm/import", self._import),
            web.post("/v2/keys/evm/export/{id}", self._export),
            web.post("/v2/keys/evm/chain", self._chain),
            web.get("/v2/keys/eth", self._list),
            web.delete("/v2/keys/eth/{id}", self._delete_by_the_old_name),
            web.post("/v2/keys/eth/import", self._import),
            web.post("/v2/keys/eth/export/{id}", self._export),
        )

    async def _list(self, _: web.Request) -> web.Response:
        keys = sorted(self._ring.evm.values(), key=lambda key: key.address)
        return all_of([await self.shown(key, chain_id) for key in keys for chain_id in self._chains])

    async def _create(self, request: web.Request) -> web.Response:
        chain_id = self._chain_id(request)
        if request.query.get("maxGasPriceGWei"):
            raise Refused(400, "unsupported with config v2")
        key = EvmKey.generate()
        await self._ring.add(key)
        return one(await self.shown(key, chain_id))

    async def _delete(self, request: web.Request) -> web.Response:
        address = request.match_info["id"]
        if not _is_address(address):
            raise Refused(400, shortened(f"invalid keyID: {address}, must be hex address"))
        if address not in self._ring.evm:
            raise Refused(404, "Key not found")
        answer = await self.shown(self._ring.evm[address], next(iter(self._chains)))
        await self._ring.remove("evm", address)
        return one(answer)

    async def _delete_by_the_old_name(self, _: web.Request) -> web.Response:
        # The real node looks for the address under another name there, and finds none.
        raise Refused(400, "invalid keyID: , must be hex address")

    async def _import(self, request: web.Request) -> web.Response:
        chain_id = self._chain_id(request)
        key = await imports.imported(request, imports.EVM, EvmKey.from_export)
        try:
            await self._ring.add(key)
        except AlreadyExists as error:
            raise Refused(500, "Key already exists") from error
        return one(await self.shown(key, chain_id))

    async def _export(self, request: web.Request) -> web.Response:
        key = self._ring.evm.get(request.match_info["id"])
        if key is None:
            raise Refused(500, "Key not found")
        export = await asyncio.to_thread(key.export, request.query.get("newpassword", ""))
        return web.Response(body=orjson.dumps(export), content_type=MEDIA_TYPE)

    async def _chain(self, request: web.Request) -> web.Response:
        address = request.query.get("address", "")
        if not _is_address(address):
            raise Refused(400, shortened(f"invalid address: {address}, must be hex address"))
        chain_id = self._chain_id(request)
        changes = _truth(request, "abandon", "invalid value for abandon: expected boolean, got: {}")
        changes |= _truth(request, "enabled", "enabled must be bool")
        key = self._ring.evm.get(address)
        if key is None:
            raise Refused(500, "Key not found")
        if changes:
            raise Refused(501, "enabled, abandon: found a change, allowed: none, since every key serves every chain")
        return one(await self.shown(key, chain_id))

    def _chain_id(self, request: web.Request) -> int:
        text = request.query.get("evmChainID", "")
        if text in ("", "<nil>"):
            several = len(self._chains) > 1
            status, detail = 500, "chainID is empty"
            if several:
                status, detail = 400, "more than one chain available, you must specify chain id parameter"
            raise Refused(status, detail)
        digits = text[1:] if text[:1] in ("+", "-") else text
        if not (digits.isascii() and digits.isdigit()):
            raise Refused(400, "invalid chain id")
        if len(digits) > _LONGEST_NUMBER or int(text) not in self._chains:
            raise Refused(404, "chain id does not match any local chains")
        return int(text)

    async def shown(self, key: EvmKey, chain_id: int) -> dict[str, Any]:
        """Return what is shown of a key on a chain; its balance is None where the chain does not say it."""
        balance = await self._balance_wei(key.address, chain_id)
        return resource(
            "eTHKeys",
            f"{chain_id}/{key.address}",
            {
                "evmChainID": str(chain_id),
                "address": key.address,
                "ethBalance": None if balance is None else str(balance),
                # No contract of that token is configured.
                "linkBalance": None if balance is None else "0",
                "disabled": False,
                "createdAt": timestamp(self._started),
                "updatedAt": timestamp(self._started),
                "maxGasPriceWei": str(self._chains[chain_id].settings.gas_estimator.price_max_wei),
            },
        )

    async def _balance_wei(self, address: str, chain_id: int) -> int | None:
        try:
            return await self._chains[chain_id].rpc.number("eth_getBalance", address, "latest")
        except (RpcUnavailable, ChainError):
            return None


def _truth(request: web.Request, name: str, fault: str) -> bool:
    """Tell whether a truth is given; 400 if it is none."""
    text = request.query.get(name, "")
    try:
        return bool(text) and go_texts.boolean(text) in (True, False)
    except ValueError as error:
        raise Refused(400, shortened(f"{fault.format(text)}: {error}")) from error


def _is_address(text: str) -> bool:
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    return len(digits) == _ADDRESS_DIGITS and all(digit in "0123456789abcdefABCDEF" for digit in digits)
