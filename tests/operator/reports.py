"""Signed reports of the prepared oracles, sent to a real contract."""

from functools import cache

from eth_abi.abi import encode
from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak

from chainlink.keys.ocr1 import OcrKeyBundle
from services.operator.config import OperatorConfig
from services.operator.nodes.prepare_nodes import Preparation
from services.operator.onchain.chain import Chain
from tests.operator.anvil import Anvil
from tests.waiting import until


@cache
def _bundle(export: str, password: str) -> OcrKeyBundle:
    return OcrKeyBundle.read(export, password)


async def transmit(
    anvil: Anvil,
    chain: Chain,
    prepared: Preparation,
    config: OperatorConfig,
    address: str,
    *,
    epoch: int,
    round_: int,
    observations: list[int],
    observers: tuple[int, ...] = (2, 0, 3),
    transmitter: int = 1,
) -> str:
    """Send a report signed by the first two oracles; anvil lets us be any transmitter. Returns its address."""
    _, _, digest = await chain.read(address, "latestConfigDetails")
    context = bytes(11) + bytes(digest) + epoch.to_bytes(4, "big") + bytes([round_])
    raw_observers = bytes(observers).ljust(32, b"\0")
    report = encode(["bytes32", "bytes32", "int192[]"], [context, raw_observers, observations])
    rs, ss, vs = [], [], bytearray(32)
    for position, node in enumerate(prepared.nodes[1:3]):
        key = _bundle(node.ocr_export or "", config.credentials.keystore_password).keys.signing
        signature = PrivateKey(key).sign_msg_hash(keccak(report))
        rs.append(signature.r.to_bytes(32, "big"))
        ss.append(signature.s.to_bytes(32, "big"))
        vs[position] = signature.v
    sender = prepared.identities[1 + transmitter].transmitter_address
    await anvil.call("anvil_setBalance", sender, hex(10**20))
    await anvil.call("anvil_impersonateAccount", sender)
    data = chain.call_data("transmit", report, rs, ss, bytes(vs))
    transaction = {"from": sender, "to": address, "data": "0x" + data.hex(), "gas": hex(500_000)}
    sent = await anvil.call("eth_sendTransaction", transaction)

    async def is_mined() -> bool:
        receipt = await anvil.call("eth_getTransactionReceipt", sent)
        assert receipt is None or receipt["status"] == "0x1", receipt
        return receipt is not None

    await until(is_mined, "the report in a block")
    return sender
