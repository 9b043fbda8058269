"""A transaction, signed: with one price after EIP-155, or with a tip after EIP-1559."""

from dataclasses import dataclass

from chainlink import rlp
from chainlink.keys import secp256k1
from meshkit.ethereum.keccak import keccak256

_DYNAMIC_FEE = b"\x02"


@dataclass(frozen=True, slots=True)
class UnsignedTransaction:
    """
    Hold a transaction; `to` is 0x text, None for a deployment.

    It pays `cap_wei` for each unit of gas, or, with a tip, at most that, the rest over base fee and tip being kept.
    """

    chain_id: int
    nonce: int
    cap_wei: int
    gas_limit: int
    to: str | None
    data: bytes = b""
    tip_wei: int | None = None
    value_wei: int = 0

    def sign(self, private_key: bytes) -> bytes:
        """Return the signed bytes for eth_sendRawTransaction."""
        to = b"" if self.to is None else bytes.fromhex(self.to[2:])
        if self.tip_wei is None:
            legacy: list[rlp.Item] = [self.nonce, self.cap_wei, self.gas_limit, to, self.value_wei, self.data]
            r, s, v = _signature(private_key, rlp.encode([*legacy, self.chain_id, 0, 0]))
            return rlp.encode([*legacy, v + 35 + 2 * self.chain_id, r, s])
        head = [self.chain_id, self.nonce, self.tip_wei, self.cap_wei]
        fields: list[rlp.Item] = [*head, self.gas_limit, to, self.value_wei, self.data, []]
        r, s, v = _signature(private_key, _DYNAMIC_FEE + rlp.encode(fields))
        return _DYNAMIC_FEE + rlp.encode([*fields, v, r, s])


def transaction_hash(raw: bytes) -> str:
    """Return the hash of a signed transaction as 0x text."""
    return "0x" + keccak256(raw).hex()


def _signature(private_key: bytes, signed: bytes) -> tuple[int, int, int]:
    signature = secp256k1.sign(private_key, keccak256(signed))
    return int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"), signature[64]
