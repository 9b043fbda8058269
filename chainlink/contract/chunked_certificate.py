"""
An X.509 certificate cut up as a contract can check it: the fields that it looks at, and all bytes between them.

    TBS = parts[1] serial parts[2] notAfter parts[3] publicKey parts[4] ca parts[5] [userData parts[6]] …

Concatenated in this order they are the signed bytes again, so a contract needs no parser. Only certificates of
secp256k1 keys, signed by such keys, can be checked.
"""

from collections.abc import Iterator
from dataclasses import dataclass

_BASIC_CONSTRAINTS = "2.5.29.19"
_USER_DATA = "1.3.6.1.3.8888.2.4"
_MR_ENCLAVE = "1.3.6.1.3.8888.1.2"
_MR_SIGNER = "1.3.6.1.3.8888.1.3"
_WORD_BYTES = 32
_EXPLICIT_VERSION, _EXPLICIT_EXTENSIONS, _OBJECT_ID, _OCTETS = 0xA0, 0xA3, 0x06, 0x04
_SECP256K1 = bytes.fromhex("06052b8104000a")


class NoChunks(ValueError):
    """A certificate cannot be cut up; the text says why."""


@dataclass(frozen=True, slots=True)
class ChunkedCertificate:
    """
    Hold a certificate's fields, and in `parts` the bytes before, between and behind them.

    `public_key` is the point without its first byte, `signature` r and s of 32 bytes each; a hash that the
    certificate has not is zeros.
    """

    parts: tuple[bytes, ...]
    expiration_date: bytes
    ca: bytes
    user_data: bytes
    public_key: bytes
    serial_number: bytes
    mr_enclave: bytes
    mr_signer: bytes
    signature: bytes

    def as_argument(self) -> tuple[object, ...]:
        """Return the fields in the order of the contract's struct."""
        return (
            list(self.parts),
            self.expiration_date,
            self.ca,
            self.user_data,
            self.public_key,
            self.serial_number,
            self.mr_enclave,
            self.mr_signer,
            self.signature,
        )


@dataclass(frozen=True, slots=True)
class _Element:
    """A DER element: where it starts, where its content starts, and where it ends."""

    tag: int
    start: int
    content: int
    end: int


def cut(der: bytes) -> ChunkedCertificate:
    """Cut a certificate up; raises NoChunks."""
    try:
        return _cut(der)
    except IndexError as error:
        raise NoChunks("it is cut off") from error


def _cut(der: bytes) -> ChunkedCertificate:
    tbs, algorithm, signature = _children(der, _element(der, 0))
    fields = list(_children(der, tbs))
    if fields[0].tag == _EXPLICIT_VERSION:
        del fields[0]
    serial, _, _, validity, _, key_info = fields[:6]
    not_after = list(_children(der, validity))[1]
    kind, key = _children(der, key_info)
    if _SECP256K1 not in der[kind.content : kind.end]:
        raise NoChunks("its key is not one of secp256k1")
    extensions = _extensions(der, fields[6:])
    spans = {
        "serial_number": (serial.content, serial.end),
        "expiration_date": (not_after.content, not_after.end),
        # A bit string begins with the number of unused bits, and an uncompressed point with 04.
        "public_key": (key.content + 2, key.end),
    }
    for name, oid in (
        ("ca", _BASIC_CONSTRAINTS),
        ("user_data", _USER_DATA),
        ("mr_enclave", _MR_ENCLAVE),
        ("mr_signer", _MR_SIGNER),
    ):
        if oid in extensions:
            spans[name] = extensions[oid]
    if "ca" not in spans:
        raise NoChunks("it has no basic constraints")
    parts, values = _between(der, tbs, spans)
    r, s = _children(der, _element(der, signature.content + 1))
    r_start, s_start = max(r.content, r.end - _WORD_BYTES), max(s.content, s.end - _WORD_BYTES)
    parts += [der[algorithm.start : r_start], der[s.start : s_start]]
    zeros = bytes(_WORD_BYTES)
    for name in ("user_data", "mr_enclave", "mr_signer"):
        if len(values.setdefault(name, zeros)) != _WORD_BYTES:
            raise NoChunks(f"its {name} has {len(values[name])} bytes, allowed: {_WORD_BYTES}")
    both = (der[start:end].rjust(_WORD_BYTES, b"\0") for start, end in ((r_start, r.end), (s_start, s.end)))
    return ChunkedCertificate(parts=tuple(parts), signature=b"".join(both), **values)


def _between(der: bytes, tbs: _Element, spans: dict[str, tuple[int, int]]) -> tuple[list[bytes], dict[str, bytes]]:
    """Return the bytes before, between and behind the fields of the signed part, and the fields."""
    parts, values, place = [der[: tbs.start]], {}, tbs.start
    for name, (start, end) in spans.items():
        if start < place:
            raise NoChunks(f"its {name} stands before what a contract looks for sooner")
        # Contracts take the one behind the other as one run of bytes only.
        parts.append(der[place:start])
        values[name] = der[start:end]
        place = end
    # Behind these two the contract takes one more run of bytes, be it empty.
    if place < tbs.end or list(spans)[-1] in ("ca", "user_data"):
        parts.append(der[place : tbs.end])
    return parts, values


def _extensions(der: bytes, fields: list[_Element]) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for field in fields:
        if field.tag != _EXPLICIT_EXTENSIONS:
            continue
        for extension in _children(der, _element(der, field.content)):
            members = list(_children(der, extension))
            if members[0].tag == _OBJECT_ID and members[-1].tag == _OCTETS:
                found[_oid(der[members[0].content : members[0].end])] = (members[-1].content, members[-1].end)
    return found


def _children(der: bytes, parent: _Element) -> Iterator[_Element]:
    place = parent.content
    while place < parent.end:
        child = _element(der, place)
        if child.end > parent.end:
            raise NoChunks("an element of it is longer than what it is in")
        yield child
        place = child.end


def _element(der: bytes, start: int) -> _Element:
    length, content = der[start + 1], start + 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(der[content : content + count], "big")
        content += count
    if content + length > len(der):
        raise NoChunks("it is cut off")
    return _Element(der[start], start, content, content + length)


def _oid(encoded: bytes) -> str:
    numbers, number = [encoded[0] // 40, encoded[0] % 40], 0
    for byte in encoded[1:]:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    return ".".join(map(str, numbers))
