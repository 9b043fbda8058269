"""Cutting certificates up for a contract that has no parser."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from chainlink.contract.chunked_certificate import ChunkedCertificate, NoChunks, cut
from tests.operator.order import issue

_KEY, _ISSUER = (ec.generate_private_key(ec.SECP256K1()) for _ in range(2))
_USER_DATA, _ENCLAVE, _SIGNER = (
    x509.ObjectIdentifier(text) for text in ("1.3.6.1.3.8888.2.4", "1.3.6.1.3.8888.1.2", "1.3.6.1.3.8888.1.3")
)
_KEY_USAGE = (x509.ObjectIdentifier("2.5.29.15"), bytes.fromhex("03020780"))


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def _signed_bytes(chunked: ChunkedCertificate) -> bytes:
    """Join what a contract joins, in the order in which it does."""
    parts = chunked.parts
    joined = [parts[1], chunked.serial_number, parts[2], chunked.expiration_date, parts[3], chunked.public_key]
    joined += [parts[4], chunked.ca, parts[5]]
    if any(chunked.user_data):
        joined += [chunked.user_data, parts[6]]
    if any(chunked.mr_enclave):
        joined += [chunked.mr_enclave]
    if any(chunked.mr_signer):
        joined += [parts[7], chunked.mr_signer]
    return b"".join(joined)


@pytest.mark.parametrize(
    "extensions",
    [
        (_KEY_USAGE,),
        (_KEY_USAGE, (_USER_DATA, b"\1" * 32)),
        (_KEY_USAGE, (_USER_DATA, b"\1" * 32), (_ENCLAVE, b"\2" * 32), (_SIGNER, b"\3" * 32)),
    ],
)
def test_what_a_contract_joins_is_what_was_signed(
    extensions: tuple[tuple[x509.ObjectIdentifier, bytes], ...],
) -> None:
    """Joined again in the contract's order the pieces are the bytes that the issuer has signed."""
    certificate = issue("leaf", _KEY, "issuer", _ISSUER, extensions=extensions)
    chunked = cut(_der(certificate))

    assert certificate.tbs_certificate_bytes == _signed_bytes(chunked)
    assert bytes.fromhex("30030101ff") == chunked.ca
    numbers = _KEY.public_key().public_numbers()
    assert numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big") == chunked.public_key
    assert b"490101000000Z" == chunked.expiration_date
    given = dict(extensions)
    hashes = (chunked.user_data, chunked.mr_enclave, chunked.mr_signer)
    assert tuple(given.get(oid, bytes(32)) for oid in (_USER_DATA, _ENCLAVE, _SIGNER)) == hashes


def test_the_pieces_are_the_certificate() -> None:
    """With r and s as they are encoded, all pieces together are the whole certificate, whatever its numbers are."""
    for _ in range(60):
        der = _der(issue("leaf", _KEY, "issuer", _ISSUER, extensions=((_USER_DATA, b"\1" * 32),)))
        chunked = cut(der)
        r, s = chunked.signature[:32], chunked.signature[32:]
        head = chunked.parts[0] + _signed_bytes(chunked) + chunked.parts[-2]
        assert der.startswith(head)
        # Zeros before a number are no part of its encoding, but for the one that keeps it from being negative.
        ends = [
            r[skipped:] + chunked.parts[-1] + s[left_out:]
            for skipped in range(_leading_zeros(r) + 1)
            for left_out in range(_leading_zeros(s) + 1)
        ]
        assert der[len(head) :] in ends


def _leading_zeros(number: bytes) -> int:
    return len(number) - len(number.lstrip(b"\0"))


@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=4))
@settings(deadline=None, max_examples=200)
def test_damaged_certificates(place: int, damage: bytes) -> None:
    """Bytes that were changed, or are missing, are cut up or refused, and nothing else happens."""
    der = _CERTIFICATE
    start = place % len(der)
    for changed in (der[:start] + damage + der[start + len(damage) :], der[:start]):
        try:
            chunked = cut(changed)
        except (NoChunks, ValueError):
            continue
        assert 32 == len(chunked.user_data)


def test_another_curve() -> None:
    """A certificate of another curve, which no contract can check, is refused."""
    other = ec.generate_private_key(ec.SECP256R1())

    with pytest.raises(NoChunks, match="secp256k1"):
        cut(_der(issue("leaf", other, "issuer", _ISSUER)))


def test_a_hash_of_another_length() -> None:
    """A hash that is not 32 bytes long has no place in the contract's struct."""
    with pytest.raises(NoChunks, match="user_data has 31 bytes"):
        cut(_der(issue("leaf", _KEY, "issuer", _ISSUER, extensions=((_USER_DATA, b"\1" * 31),))))


_CERTIFICATE = _der(issue("leaf", _KEY, "issuer", _ISSUER, extensions=((_USER_DATA, b"\1" * 32),)))
