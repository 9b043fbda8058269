"""Why a call was undone, in the forms of the field's clients."""

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from chainlink.rpc.errors import RpcRefused
from chainlink.rpc.reverts import revert_reason

ERROR = "0x08c379a0" + encode(("string",), ("payee must be set",)).hex()
PANIC = "0x4e487b71" + encode(("uint256",), (0x11,)).hex()


@pytest.mark.parametrize(
    ("code", "message", "data", "reason"),
    [
        (3, "execution reverted: payee must be set", ERROR, "payee must be set"),
        (3, "execution reverted", ERROR, "payee must be set"),
        (-32000, "execution reverted: payee must be set", None, "payee must be set"),
        (-32603, "Error: VM Exception: execution reverted: payee must be set", None, "payee must be set"),
        (-32015, "VM execution error.", "Reverted " + ERROR, "payee must be set"),
        (-32015, "VM execution error.", {"data": ERROR, "note": "reverted"}, "payee must be set"),
        (3, "execution reverted", PANIC, "panic 0x11"),
        (3, "execution reverted", "0x12345678", "custom error 0x12345678"),
        (3, "execution reverted", "0x", "no reason given"),
        (3, "execution reverted", None, "no reason given"),
        (3, "execution reverted: the words", "0x08c379a0ff", "the words"),
        (-32000, "header not found", None, None),
    ],
)
def test_reasons(code: int, message: str, data: object, reason: str | None) -> None:
    """The contract's words are found in the data first, then in the message; a refusal of another kind has none."""
    assert reason == revert_reason(RpcRefused("eth_call", code, message, data))


@given(st.binary(max_size=100), st.text(max_size=20))
def test_any_data_gives_some_reason(data: bytes, message: str) -> None:
    """Whatever a contract returns, there is a reason."""
    assert revert_reason(RpcRefused("eth_call", 3, message, "0x" + data.hex()))
