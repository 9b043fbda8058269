"""The locators `peerid@host:port/host:port` of bootstrappers, with the node's words for those that are none."""

from chainlink.errors import InvalidPeerId
from chainlink.keys.peer_id import decode_peer_id
from meshkit.go_quoted import quoted
from services.oracle.errors import JobInvalid

_ALPHABET = frozenset("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")


def check(locators: tuple[str, ...]) -> None:
    """Raise JobInvalid for the first locator that is none."""
    for locator in locators:
        parts = locator.split("@")
        if len(parts) != 2:
            expected = "expected format is PeerID@Host1:Port1/Host2:Port2"
            raise JobInvalid(f"invalid BootstrapperLocator, {expected}")
        fault = peer_id_fault(parts[0])
        if fault:
            raise JobInvalid(f"invalid peer id ({quoted(parts[0][:200])}): {fault}")
        for address in parts[1].split("/") if parts[1] else ():
            fault = _address_fault(address)
            if fault:
                where = f"invalid address ({quoted(address[:200])}) for bootstrapper ({quoted(parts[0])})"
                raise JobInvalid(f"{where}: address {address[:200]}: {fault}")


def peer_id_fault(text: str) -> str:
    """Return why a text is no peer id; empty if it is one."""
    if not text:
        return "failed to base58 decode: zero length string"
    wrong = next((letter for letter in text if letter not in _ALPHABET), None)
    if wrong is not None:
        return f"failed to base58 decode: invalid base58 digit ('{wrong}')"
    try:
        decode_peer_id(text)
    except InvalidPeerId:
        size = _decoded_size(text[:200])
        return f"unexpected peerid length (was {size}, expected 38)" if size != 38 else "unexpected peerid prefix"
    return ""


def _decoded_size(text: str) -> int:
    number = 0
    for letter in text:
        number = number * 58 + "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".index(letter)
    return (number.bit_length() + 7) // 8 + len(text) - len(text.lstrip("1"))


def _address_fault(address: str) -> str:
    host, colon, _ = address.rpartition(":")
    if address.startswith("["):
        closing = address.find("]")
        if closing < 0:
            return "missing ']' in address"
        if closing + 1 == len(address):
            return "missing port in address"
        return "" if address[closing + 1] == ":" and ":" not in address[closing + 2 :] else "too many colons in address"
    if not colon:
        return "missing port in address"
    if ":" in host:
        return "too many colons in address"
    if "[" in address or "]" in address:
        return f"unexpected '{'[' if '[' in address else ']'}' in address"
    return ""
