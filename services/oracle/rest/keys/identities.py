"""The keys of a node's identities: among its peers, among its oracles, and towards those who send it jobs."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from chainlink.keys.csa import CsaKey
from chainlink.keys.ocr1 import OcrKeyBundle
from chainlink.keys.ocr2 import Ocr2KeyBundle
from chainlink.keys.p2p import P2pKey
from chainlink.keys.peer_id import TEXT_PREFIX
from meshkit.errors import AlreadyExists
from meshkit.go_quoted import quoted
from services.oracle.jobs.reading.bootstrappers import peer_id_fault
from services.oracle.keys.sealed_keyring import Keyring
from services.oracle.rest.jsonapi import MEDIA_TYPE, Refused, all_of, one, resource, shortened
from services.oracle.rest.keys import imports

Key = P2pKey | OcrKeyBundle | Ocr2KeyBundle | CsaKey
_CHAIN_TYPE = "evm"
_OTHER_CHAIN_TYPES = ("cosmos", "solana", "starknet", "aptos", "tron")
# Kinds of keys that a real node may have, and this one has none of.
_NONE = {
    "vrf": "VRF",
    "solana": "Solana",
    "cosmos": "Cosmos",
    "starknet": "StarkNet",
    "aptos": "Aptos",
    "tron": "Tron",
}


@dataclass(frozen=True, slots=True)
class _Kind:
    """
    Hold what is done with one kind of key.

    Attributes:
        name: Its name in the ring and in paths.
        title: What the node calls it.
        id_of: The id in the ring of the one in a path; Refused if that can be none.
        shown_id: The same as errors show it.
    """

    name: str
    title: str
    texts: imports.ImportTexts
    generate: Callable[[], Key]
    read: Callable[[Mapping[str, Any], str], Key]
    show: Callable[[Key], dict[str, Any]]
    already: Callable[[Key], str]
    id_of: Callable[[str], str] = lambda text: text
    shown_id: Callable[[str], str] = lambda text: text


class IdentityKeys:
    """Serve /v2/keys/p2p, /ocr, /ocr2 and /csa, and the empty lists of the other kinds."""

    def __init__(self, ring: Keyring) -> None:
        self._ring = ring

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the routes."""
        for kind in _KINDS:
            path, ring = f"/v2/keys/{kind.name}", self._keys(kind)
            yield web.get(path, _lister(kind, ring))
            yield web.post(f"{path}/import", self._importer(kind))
            yield web.post(f"{path}/{{type}}" if kind.name == "ocr2" else path, self._creator(kind, ring))
            yield web.post(f"{path}/export/{{id}}", _exporter(kind, ring))
            if kind.name != "csa":
                yield web.delete(f"{path}/{{id}}", self._deleter(kind, ring))
        for name, title in _NONE.items():
            yield web.get(f"/v2/keys/{name}", _nothing)
            yield web.post(f"/v2/keys/{name}/import", _not_made)
            yield web.post(f"/v2/keys/{name}", _not_made)
            yield web.post(f"/v2/keys/{name}/export/{{id}}", _missing(title, 500))
            yield web.delete(f"/v2/keys/{name}/{{id}}", _missing(title, 404))

    def _keys(self, kind: _Kind) -> Mapping[str, Key]:
        rings: dict[str, Mapping[str, Key]] = {"p2p": self._ring.p2p, "ocr": self._ring.ocr}
        rings |= {"ocr2": self._ring.ocr2, "csa": self._ring.csa}
        return rings[kind.name]

    def _creator(self, kind: _Kind, ring: Mapping[str, Key]) -> Callable[[web.Request], Any]:
        async def create(request: web.Request) -> web.Response:
            _check_chain_type(request.match_info.get("type", _CHAIN_TYPE))
            if kind.name == "csa" and ring:
                raise Refused(400, "can only have 1 CSA key")
            key = kind.generate()
            await self._ring.add(key)
            return one(kind.show(key))

        return create

    def _importer(self, kind: _Kind) -> Callable[[web.Request], Any]:
        async def import_(request: web.Request) -> web.Response:
            key = await imports.imported(request, kind.texts, kind.read)
            try:
                await self._ring.add(key)
            except AlreadyExists as error:
                # The real node looks for an OCR2 bundle in another place, and so takes it twice.
                if kind.name != "ocr2":
                    raise Refused(500, kind.already(key)) from error
            # The real node answers with an OCR bundle's private keys in clear; nobody needs that.
            return one(kind.show(key))

        return import_

    def _deleter(self, kind: _Kind, ring: Mapping[str, Key]) -> Callable[[web.Request], Any]:
        async def delete(request: web.Request) -> web.Response:
            key = _found(request, kind, ring, 404)
            await self._ring.remove(kind.name, key.id)
            return one(kind.show(key))

        return delete


def _lister(kind: _Kind, ring: Mapping[str, Key]) -> Callable[[web.Request], Any]:
    async def list_(_: web.Request) -> web.Response:
        return all_of([kind.show(key) for key in ring.values()])

    return list_


def _exporter(kind: _Kind, ring: Mapping[str, Key]) -> Callable[[web.Request], Any]:
    async def export(request: web.Request) -> web.Response:
        key = _found(request, kind, ring, 500)
        document = await asyncio.to_thread(key.export, request.query.get("newpassword", ""))
        return web.Response(body=orjson.dumps(document), content_type=MEDIA_TYPE)

    return export


def _found(request: web.Request, kind: _Kind, ring: Mapping[str, Key], status: int) -> Key:
    wanted = kind.id_of(request.match_info["id"])
    if wanted not in ring:
        raise Refused(status, shortened(f"unable to find {kind.title} key with id {kind.shown_id(wanted)}"))
    return ring[wanted]


async def _nothing(_: web.Request) -> web.Response:
    return all_of(())


async def _not_made(request: web.Request) -> web.Response:
    raise Refused(501, shortened(f"{request.path} is not available on this node: it has no keys of this kind"))


def _missing(title: str, status: int) -> Callable[[web.Request], Any]:
    async def miss(request: web.Request) -> web.Response:
        raise Refused(status, shortened(f"unable to find {title} key with id {request.match_info['id']}"))

    return miss


def _peer_id(text: str) -> str:
    bare = text.removeprefix(TEXT_PREFIX)
    fault = peer_id_fault(bare)
    if fault:
        raise Refused(422, shortened(f"PeerID#UnmarshalText({quoted(text)}): {fault}"))
    return bare


def _check_chain_type(chain_type: str) -> None:
    if chain_type in _OTHER_CHAIN_TYPES:
        raise Refused(501, f"chain type: found {chain_type}, allowed: {_CHAIN_TYPE}, the only one of this node")
    if chain_type != _CHAIN_TYPE:
        types = ", ".join(map(quoted, (_CHAIN_TYPE, *_OTHER_CHAIN_TYPES)))
        raise Refused(400, shortened(f"unknown chain type {quoted(chain_type)}: valid types include: [{types}]"))


def shown(kind: str, key: Key) -> dict[str, Any]:
    """Return what is shown of a key of a kind: `p2p`, `ocr`, `ocr2` or `csa`."""
    return next(each for each in _KINDS if each.name == kind).show(key)


def _p2p(key: Key) -> dict[str, Any]:
    assert isinstance(key, P2pKey)
    attributes = {"peerId": TEXT_PREFIX + key.peer_id, "publicKey": key.public_key.hex()}
    return resource("encryptedP2PKeys", key.peer_id, attributes)


def _ocr(key: Key) -> dict[str, Any]:
    assert isinstance(key, OcrKeyBundle)
    return resource("keyV2s", key.id, key.public())


def _ocr2(key: Key) -> dict[str, Any]:
    assert isinstance(key, Ocr2KeyBundle)
    public = key.public()
    attributes = {
        "chainType": _CHAIN_TYPE,
        "onchainPublicKey": f"ocr2on_evm_{public['onchainPublicKey']}",
        "offchainPublicKey": f"ocr2off_evm_{public['offchainPublicKey']}",
        "configPublicKey": f"ocr2cfg_evm_{public['configPublicKey']}",
    }
    return resource("keyV2s", key.id, attributes)


def _csa(key: Key) -> dict[str, Any]:
    return resource("csaKeys", key.id, {"publicKey": f"csa_{key.id}", "version": 1})


_KINDS = (
    _Kind(
        "p2p",
        "P2P",
        imports.P2P,
        P2pKey.generate,
        P2pKey.from_export,
        _p2p,
        lambda key: f"key {key.id}: Key already exists",
        _peer_id,
        lambda text: TEXT_PREFIX + text,
    ),
    _Kind(
        "ocr",
        "OCR",
        imports.OCR,
        OcrKeyBundle.generate,
        OcrKeyBundle.from_export,
        _ocr,
        lambda key: f"key with ID {key.id} already exists",
    ),
    _Kind(
        "ocr2",
        "OCR",
        imports.OCR2,
        Ocr2KeyBundle.generate,
        Ocr2KeyBundle.from_export,
        _ocr2,
        lambda key: key.id,
    ),
    _Kind(
        "csa",
        "CSA",
        imports.CSA,
        CsaKey.generate,
        CsaKey.from_export,
        _csa,
        lambda key: f"key with ID {key.id} already exists",
    ),
)
