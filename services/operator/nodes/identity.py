"""What everybody may know of a node."""

from dataclasses import dataclass

from chainlink.keys.evm import EvmKey
from chainlink.keys.ocr1 import OcrKeyBundle
from chainlink.keys.ocr2 import Ocr2KeyBundle
from chainlink.keys.p2p import P2pKey
from services.operator.config import Ports


@dataclass(frozen=True, slots=True)
class OcrIdentity:
    """Hold the public half of a bundle, of OCR1 or OCR2: EIP-55 signing address, two 32-byte public keys, its id."""

    bundle_id: str
    signing_address: str
    offchain_public_key: bytes
    config_public_key: bytes

    @classmethod
    def of(cls, bundle: OcrKeyBundle | Ocr2KeyBundle) -> "OcrIdentity":
        """Take the public half of a bundle."""
        keys = bundle.keys
        return cls(bundle.id, keys.signing_address, keys.offchain_public_key, keys.config_public_key)


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """
    Hold a node's number and public keys; its peer id is base58 without prefix.

    A bootstrap node has no `ocr`; who serves no feed of OCR2 has no `ocr2`.
    """

    index: int
    name: str
    peer_id: str
    transmitter_address: str
    ocr: OcrIdentity | None
    ocr2: OcrIdentity | None = None

    @classmethod
    def of(
        cls,
        index: int,
        name: str,
        evm: EvmKey,
        p2p: P2pKey,
        ocr: OcrKeyBundle | None,
        ocr2: Ocr2KeyBundle | None = None,
    ) -> "NodeIdentity":
        """Take the public halves of a node's keys."""
        public = None if ocr is None else OcrIdentity.of(ocr)
        public2 = None if ocr2 is None else OcrIdentity.of(ocr2)
        return cls(index, name, p2p.peer_id, evm.address, public, public2)


@dataclass(frozen=True, slots=True)
class OracleIdentity:
    """Hold an oracle's place and keys; `oracle_index` is its position in every feed's configuration, from 0."""

    oracle_index: int
    node: NodeIdentity
    ocr: OcrIdentity


def oracles(nodes: tuple[NodeIdentity, ...]) -> tuple[OracleIdentity, ...]:
    """Return the oracles among the nodes in the order of their numbers: the order is what identifies an oracle."""
    able = [(node, node.ocr) for node in sorted(nodes, key=lambda node: node.index) if node.ocr is not None]
    return tuple(OracleIdentity(position, node, ocr) for position, (node, ocr) in enumerate(able))


def bootstrappers(nodes: tuple[NodeIdentity, ...], ports: Ports) -> tuple[str, ...]:
    """Return the locators of the bootstrap nodes: bare peer id, `@`, address, colon, port."""
    return tuple(
        f"{node.peer_id}@{ports.node_host(node.index)}:{ports.node_p2p(node.index)}"
        for node in nodes
        if node.ocr is None
    )
