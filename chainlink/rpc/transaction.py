"""A transaction, signed: with one price after EIP-155, or with a tip after EIP-1559."""

from dataclasses import dataclass

import rlp  # type: ignore[import-untyped]  # it has no annotations
from eth_keys.datatypes import PrivateKey

from chainlink.keccak import keccak

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
        key, to = PrivateKey(private_key), b"" if self.to is None else bytes.fromhex(self.to[2:])
        if self.tip_wei is None:
            fields = [self.nonce, self.cap_wei, self.gas_limit, to, self.value_wei, self.data]
            signature = key.sign_msg_hash(keccak(rlp.encode([*fields, self.chain_id, 0, 0])))
            v = signature.v + 35 + 2 * self.chain_id
            return bytes(rlp.encode([*fields, v, signature.r, signature.s]))
        head = [self.chain_id, self.nonce, self.tip_wei, self.cap_wei]
        fields = [*head, self.gas_limit, to, self.value_wei, self.data, []]
        signature = key.sign_msg_hash(keccak(_DYNAMIC_FEE + rlp.encode(fields)))
        return _DYNAMIC_FEE + bytes(rlp.encode([*fields, signature.v, signature.r, signature.s]))


def transaction_hash(raw: bytes) -> str:
    """Return the hash of a signed transaction as 0x text."""
    return "0x" + keccak(raw).hex()
