"""The format of a backup."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.backup.sealed_file import UnreadableBackup, seal, unseal

PASSWORD = "the password of a backup"
REST = b'"r":8,"p":1,"salt":"' + b"00" * 32 + b'","nonce":"' + b"00" * 12 + b'","check":""}'
SEALED = seal(b"what cannot be made again", PASSWORD, 2)


def test_it_opens_with_its_password() -> None:
    """The contents come back, and are nowhere in the file; no two files are alike."""
    assert b"what cannot be made again" == unseal(SEALED, PASSWORD)
    assert b"cannot" not in SEALED
    assert seal(b"", PASSWORD, 2) != seal(b"", PASSWORD, 2)
    assert b"" == unseal(seal(b"", PASSWORD, 2), PASSWORD)


def test_a_wrong_password_is_said_to_be_wrong() -> None:
    """Another password is told from a changed file."""
    with pytest.raises(UnreadableBackup, match=r"^the password is wrong$"):
        unseal(SEALED, f"{PASSWORD} ")


@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
def test_a_changed_byte_anywhere_is_refused(place: int, difference: int) -> None:
    """Whichever byte is another, the file does not open."""
    changed = bytearray(SEALED)
    changed[place] ^= difference
    with pytest.raises(UnreadableBackup):
        unseal(bytes(changed), PASSWORD)


def test_a_file_that_was_cut_off_is_refused() -> None:
    """Wherever it was cut off, the file does not open."""
    for length in range(len(SEALED)):
        with pytest.raises(UnreadableBackup):
            unseal(SEALED[:length], PASSWORD)


@pytest.mark.parametrize(
    "parameters",
    [
        b"null",
        b"[]",
        b'{"kdf":"scrypt","n":1e9,"r":8,"p":1,"salt":"","nonce":"","check":""}',
        b'{"kdf":"scrypt","n":1099511627776,"r":8,"p":1,"salt":"'
        + b"00" * 32
        + b'","nonce":"'
        + b"00" * 12
        + b'","check":""}',
        b'{"kdf":"scrypt","n":3,"r":8,"p":1,"salt":"' + b"00" * 32 + b'","nonce":"' + b"00" * 12 + b'","check":""}',
        b'{"kdf":"none","n":2,"r":8,"p":1,"salt":"' + b"00" * 32 + b'","nonce":"' + b"00" * 12 + b'","check":""}',
        b'{"kdf":"scrypt","n":2,"r":8,"p":1,"salt":7,"nonce":[],"check":""}',
    ],
)
def test_parameters_that_we_do_not_write_are_refused(parameters: bytes) -> None:
    """A file that asks for other costs than are allowed, or has other fields, is refused before any work."""
    with pytest.raises(UnreadableBackup, match="second line"):
        unseal(b"feedmesh-backup 1\n" + parameters + b"\n" + b"0" * 64, PASSWORD)
