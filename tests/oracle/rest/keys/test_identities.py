"""The keys of a node's identities, over HTTP in one process."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from chainlink.keys.csa import CsaKey
from chainlink.keys.ocr2 import Ocr2KeyBundle
from services.oracle.keys.sealed_keyring import Keyring
from services.oracle.rest.jsonapi import Refused, failure
from services.oracle.rest.keys.identities import IdentityKeys
from services.oracle.store.database import Database
from services.oracle.store.keys import KeyStore

Client = TestClient[web.Request, web.Application]


@pytest.fixture(name="client")
async def _client(database: Database) -> AsyncIterator[Client]:
    """Give a client of a node without keys."""

    @web.middleware
    async def refusals(request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            answer: web.StreamResponse = await handler(request)
            return answer
        except Refused as error:
            return failure(error.status, *error.details)

    app = web.Application(middlewares=(refusals,))
    app.add_routes(IdentityKeys(await Keyring.open(KeyStore(database), "password", 2)).routes())
    async with TestClient(TestServer(app)) as client:
        yield client


async def _post(client: Client, path: str, body: object = None) -> tuple[int, Any]:
    answer = await client.post(f"/v2/keys/{path}", data=None if body is None else json.dumps(body))
    return answer.status, await answer.json(content_type=None)


async def test_one_csa_key(client: Client) -> None:
    """A node makes one key of this kind and no second one; more may be imported, and all be exported."""
    status, made = await _post(client, "csa")
    assert (200, "csaKeys") == (status, made["data"]["type"])
    assert (400, {"errors": [{"detail": "can only have 1 CSA key"}]}) == await _post(client, "csa")
    key = CsaKey.generate()
    _, imported = await _post(client, "csa/import?oldpassword=x", key.export("x", 2))
    assert {"publicKey": f"csa_{key.id}", "version": 1} == imported["data"]["attributes"]
    again = {"errors": [{"detail": f"key with ID {key.id} already exists"}]}
    assert (500, again) == await _post(client, "csa/import?oldpassword=x", key.export("x", 2))

    _, exported = await _post(client, f"csa/export/{key.id}?newpassword=y")
    assert key == await asyncio.to_thread(CsaKey.from_export, exported, "y")


async def test_ocr2_bundles(client: Client) -> None:
    """A bundle of the second protocol is shown under the names of its chain's type, and may be imported twice."""
    bundle = Ocr2KeyBundle.generate()
    for _ in range(2):
        status, imported = await _post(client, "ocr2/import?oldpassword=x", bundle.export("x", 2))
        assert (200, bundle.id) == (status, imported["data"]["id"])
    public = bundle.public()
    assert {
        "chainType": "evm",
        "onchainPublicKey": f"ocr2on_evm_{public['onchainPublicKey']}",
        "offchainPublicKey": f"ocr2off_evm_{public['offchainPublicKey']}",
        "configPublicKey": f"ocr2cfg_evm_{public['configPublicKey']}",
    } == imported["data"]["attributes"]
    assert [bundle.id] == [
        item["id"] for item in (await (await client.get("/v2/keys/ocr2")).json(content_type=None))["data"]
    ]
    assert 200 == (await client.delete(f"/v2/keys/ocr2/{bundle.id}")).status
    assert 404 == (await client.delete(f"/v2/keys/ocr2/{bundle.id}")).status
    assert [200, 501, 400] == [(await _post(client, f"ocr2/{kind}"))[0] for kind in ("evm", "solana", "nothing")]
