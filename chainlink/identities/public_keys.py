"""What key files say in clear: the public halves of their keys, for which no password is needed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from chainlink.errors import KeyUnreadable, UnreadableKeyFile
from chainlink.identities.key_files import EVM_FILE, OCR2_FILE, OCR_FILE, P2P_FILE
from chainlink.keys import export
from chainlink.keys.peer_id import TEXT_PREFIX
from meshkit.ethereum.address import checksummed

RETIRED = "retired"
"""Where a node's directory keeps keys that `feedmesh keys rotate` has replaced; a contract may still list them."""


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """
    Hold what a node's key files say in clear, empty where there is no file or it leaves that out.

    Addresses are EIP-55, the peer id is bare, the keys are hexadecimal.
    """

    index: int
    transmitter_address: str = ""
    peer_id: str = ""
    bundle_id: str = ""
    signing_address: str = ""
    offchain_public_key: str = ""
    config_public_key: str = ""
    ocr2_bundle_id: str = ""
    ocr2_signing_address: str = ""
    ocr2_offchain_public_key: str = ""
    ocr2_config_public_key: str = ""


def read(directory: Path, index: int) -> PublicKeys:
    """Return what the files of a node's directory say; raises UnreadableKeyFile for one that is no JSON object."""
    evm, p2p, ocr, ocr2 = (_document(directory / name) for name in (EVM_FILE, P2P_FILE, OCR_FILE, OCR2_FILE))
    return PublicKeys(
        index,
        transmitter_address=_address(evm.get("address")),
        peer_id=_text(p2p.get("peerID")).removeprefix(TEXT_PREFIX),
        bundle_id=_text(ocr.get("id")),
        signing_address=_address(_text(ocr.get("onChainSigningAddress")).removeprefix("ocrsad_")),
        offchain_public_key=_text(ocr.get("offChainPublicKey")).removeprefix("ocroff_"),
        config_public_key=_text(ocr.get("configPublicKey")).removeprefix("ocrcfg_"),
        ocr2_bundle_id=_text(ocr2.get("id")),
        ocr2_signing_address=_address(ocr2.get("onchainPublicKey")),
        ocr2_offchain_public_key=_text(ocr2.get("offchainPublicKey")),
        ocr2_config_public_key=_text(ocr2.get("configPublicKey")),
    )


def directories(nodes: Path) -> dict[int, Path]:
    """Return the directories of nodes by their numbers, in order; those of nodes that do not run are among them."""
    found = nodes.iterdir() if nodes.is_dir() else ()
    return {
        int(path.name): path for path in sorted(found, key=lambda path: path.name.zfill(9)) if path.name.isdecimal()
    }


def addresses(nodes: Path) -> frozenset[str]:
    """
    Return every transmitter's and signer's address, in lower case, that a key below this directory has or had.

    Keys of nodes that do not run and retired keys are among them. A file that cannot be read has none.
    """
    return frozenset(_addresses(nodes))


def _addresses(nodes: Path) -> Iterator[str]:
    for directory in directories(nodes).values():
        for path in (*directory.glob("*.json"), *(directory / RETIRED).glob("*.json")):
            try:
                document = _document(path)
            except UnreadableKeyFile:
                continue
            for name in ("address", "onChainSigningAddress", "onchainPublicKey"):
                text = document.get(name)
                if address := _address(_text(text).removeprefix("ocrsad_")):
                    yield address.lower()


def _document(path: Path) -> dict[str, Any]:
    try:
        return export.parse(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UnreadableKeyFile(path, f"cannot be read: {error.strerror}") from error
    except (KeyUnreadable, orjson.JSONDecodeError) as error:
        raise UnreadableKeyFile(path, str(error)) from error


def _address(value: Any) -> str:
    text = _text(value).lower().removeprefix("0x")
    if len(text) != 40 or set(text) - set("0123456789abcdef"):
        return ""
    return checksummed(f"0x{text}")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
