"""Key exports in requests: read, decrypted and added, with the real node's words for what goes wrong."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web

from chainlink.errors import KeyUnreadable
from services.oracle.rest import json_body
from services.oracle.rest.jsonapi import Refused, shortened

_Key = TypeVar("_Key")
_CIPHER = "aes-128-ctr"
_NOT_DECRYPTED = "could not decrypt key with given password"


@dataclass(frozen=True, slots=True)
class ImportTexts:
    """
    Hold what the node calls a kind of key while it imports one.

    Attributes:
        store: Its key store.
        kind: The kind as it is written behind `failed to decrypt`; empty for none.
        value: The Go type of an export, and `struct` that of the object which `crypto` is a field of.
    """

    store: str
    kind: str
    value: str
    struct: str


EVM = ImportTexts("EthKeyStore", "", "map[string]interface {}", "encryptedKeyJSONV3")
P2P = ImportTexts("P2PKeyStore", "P2P", "p2pkey.EncryptedP2PKeyExport", "EncryptedP2PKeyExport")
OCR = ImportTexts("OCRKeyStore", "OCR", "ocrkey.EncryptedOCRKeyExport", "EncryptedOCRKeyExport")
OCR2 = ImportTexts("OCRKeyStore", "OCR2", "ocr2key.EncryptedOCRKeyExport", "EncryptedOCRKeyExport")
CSA = ImportTexts("CSAKeyStore", "CSA", "internal.EncryptedKeyExport", "EncryptedKeyExport")


async def imported(request: web.Request, texts: ImportTexts, decrypt: Callable[[dict[str, Any], str], _Key]) -> _Key:
    """Return the key of a request's body; Refused with 500, as the real node, if there is none in it."""
    body = await json_body.content(request)
    try:
        document = _document(body, texts)
        return await asyncio.to_thread(decrypt, document, request.query.get("oldpassword", ""))
    except KeyUnreadable as error:
        text = _NOT_DECRYPTED if str(error).endswith(_NOT_DECRYPTED) else str(error)
        raise Refused(500, shortened(f"{_begin(texts)}{_inner(texts)}{text}")) from error
    except ValueError as error:
        raise Refused(500, shortened(f"{_begin(texts)}{error}")) from error


def _document(body: str, texts: ImportTexts) -> dict[str, Any]:
    try:
        value = json_body.first_value(body)
    except ValueError as error:
        text = "unexpected end of JSON input" if str(error) in ("EOF", "unexpected EOF") else str(error)
        raise ValueError(text) from error
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"json: cannot unmarshal {json_body.name_of(value)} into Go value of type {texts.value}")
    document: dict[str, Any] = value or {}
    crypto = document.get("crypto")
    if crypto is not None and not isinstance(crypto, dict):
        found = json_body.name_of(crypto)
        field = f"Go struct field {texts.struct}.crypto of type keystore.CryptoJSON"
        raise ValueError(f"json: cannot unmarshal {found} into {field}")
    _check_form(document, crypto or {}, texts)
    return document


def _check_form(document: Mapping[str, Any], crypto: Mapping[str, Any], texts: ImportTexts) -> None:
    if texts is EVM and document.get("version") != 3:
        version = document.get("version")
        shown = version if isinstance(version, int) and not isinstance(version, bool) else 0
        raise ValueError(f"version not supported: {shown}")
    if crypto.get("cipher") != _CIPHER:
        raise ValueError(f"{_inner(texts)}cipher not supported: {crypto.get('cipher') or ''}")


def _begin(texts: ImportTexts) -> str:
    return f"{texts.store}#ImportKey failed to decrypt key: "


def _inner(texts: ImportTexts) -> str:
    return f"failed to decrypt {texts.kind} key: " if texts.kind else ""
