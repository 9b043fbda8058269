"""Why a call was undone, as clients tell it."""

import re

from chainlink.abi import decode
from chainlink.abi_types import AbiError
from chainlink.rpc.errors import RpcRefused
from chainlink.rpc.refusals import is_revert

_NO_REASON = "no reason given"
_HEX = re.compile(r"0x([0-9a-fA-F]*)")
# Error(string) and Panic(uint256), which the compiler makes of `require` and of its own checks.
_ERROR, _PANIC = bytes.fromhex("08c379a0"), bytes.fromhex("4e487b71")


def revert_reason(error: RpcRefused) -> str | None:
    """Return why a contract undid a call, None if the refusal is not about that."""
    if not is_revert(error):
        return None
    return _of_data(error.data) or _of_message(error.message) or _NO_REASON


def _of_data(data: object) -> str:
    # A client may wrap it (`{"data": "0x…"}`) or put a word before it (`Reverted 0x…`).
    if isinstance(data, dict):
        data = data.get("data")
    match = _HEX.search(data) if isinstance(data, str) else None
    if match is None or len(match[1]) % 2:
        return ""
    returned = bytes.fromhex(match[1])
    try:
        if returned.startswith(_ERROR):
            return str(decode(("string",), returned[4:])[0])
        if returned.startswith(_PANIC):
            return f"panic {decode(('uint256',), returned[4:])[0]:#x}"
    except AbiError:
        return ""
    return f"custom error 0x{match[1][:8]}" if len(returned) >= 4 else ""


def _of_message(message: str) -> str:
    return (
        re.sub(r"^.*?execution reverted:?\s*", "", message, count=1).strip() if "execution reverted" in message else ""
    )
