"""Signing."""

import pytest
from eth_account import Account as EthAccount

from services.oracle.chain.gas import Fees
from services.oracle.chain.transaction import UnsignedTransaction, transaction_hash

KEY = bytes(range(1, 33))


@pytest.mark.parametrize("chain_id", [1337, 204, 2**40])
@pytest.mark.parametrize(("nonce", "data"), [(0, b""), (300, bytes(1000))])
@pytest.mark.parametrize("fees", [Fees(10**9), Fees(0), Fees(3 * 10**9, 10**9), Fees(1, 0)])
def test_transactions_are_signed_as_eth_account_does(chain_id: int, nonce: int, data: bytes, fees: Fees) -> None:
    """Our signed bytes are those of the field's common library, in both forms."""
    mine = UnsignedTransaction(chain_id, nonce, fees, 500_000, "0x" + "22" * 20, data).sign(KEY)
    price: dict[str, object] = {"gasPrice": fees.cap_wei}
    if fees.tip_wei is not None:
        price = {"maxFeePerGas": fees.cap_wei, "maxPriorityFeePerGas": fees.tip_wei}
    rest = {"nonce": nonce, "gas": 500_000, "to": "0x" + "22" * 20, "value": 0, "data": data, "chainId": chain_id}
    theirs = EthAccount.sign_transaction(rest | price, KEY)

    assert bytes(theirs.raw_transaction) == mine
    assert "0x" + bytes(theirs.hash).hex() == transaction_hash(mine)
