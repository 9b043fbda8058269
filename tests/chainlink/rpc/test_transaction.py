"""Signing."""

import pytest
from eth_account import Account as EthAccount

from chainlink.rpc.transaction import UnsignedTransaction, transaction_hash

KEY = bytes(range(1, 33))


@pytest.mark.parametrize("chain_id", [1337, 204, 2**40])
@pytest.mark.parametrize(("nonce", "data"), [(0, b""), (300, bytes(1000))])
@pytest.mark.parametrize("fees", [(10**9, None), (0, None), (3 * 10**9, 10**9), (1, 0)])
@pytest.mark.parametrize(("to", "value_wei"), [("0x" + "22" * 20, 0), ("0x" + "22" * 20, 10**18), (None, 0)])
def test_transactions_are_signed_as_eth_account_does(
    chain_id: int, nonce: int, data: bytes, fees: tuple[int, int | None], to: str | None, value_wei: int
) -> None:
    """Our signed bytes are those of the field's common library, in both forms, for transfers and deployments too."""
    cap_wei, tip_wei = fees
    mine = UnsignedTransaction(chain_id, nonce, cap_wei, 500_000, to, data, tip_wei, value_wei).sign(KEY)
    price: dict[str, object] = {"gasPrice": cap_wei}
    if tip_wei is not None:
        price = {"maxFeePerGas": cap_wei, "maxPriorityFeePerGas": tip_wei}
    rest = {"nonce": nonce, "gas": 500_000, "value": value_wei, "data": data, "chainId": chain_id}
    if to is not None:
        rest["to"] = to
    theirs = EthAccount.sign_transaction(rest | price, KEY)

    assert bytes(theirs.raw_transaction) == mine
    assert "0x" + bytes(theirs.hash).hex() == transaction_hash(mine)
