"""What a ConfigSet event says, and its digest."""

from dataclasses import replace

import pytest

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr.contract_config import ContractConfig
from chainlink.ocr.shared_secret import SharedSecretEncryptions
from tests.chainlink.ocr.made import made_config

_MADE = made_config()
_SEALED = SharedSecretEncryptions(b"\1" * 32, b"\2" * 32, (bytes(16),) * 4)
_CONFIG = ContractConfig(
    contract="0x00000000000000000000000000000000000000C0",
    config_count=1,
    signers=_MADE.signers,
    transmitters=_MADE.transmitters,
    f=1,
    encoded_version=1,
    encoded=_MADE.offchain.encode(_SEALED),
)


def test_digest_depends_on_everything() -> None:
    """Each of the seven values changes the digest."""
    changed = [
        replace(_CONFIG, contract="0x00000000000000000000000000000000000000c1"),
        replace(_CONFIG, config_count=2),
        replace(_CONFIG, signers=_CONFIG.signers[::-1]),
        replace(_CONFIG, transmitters=_CONFIG.transmitters[::-1]),
        replace(_CONFIG, f=2),
        replace(_CONFIG, encoded_version=2),
        replace(_CONFIG, encoded=_CONFIG.encoded + b"\0"),
    ]

    assert 8 == len({config.digest() for config in [_CONFIG, *changed]})
    assert 16 == len(_CONFIG.digest())


def test_decoding() -> None:
    """An event decodes to the configuration it was made of, whatever the spelling of its addresses."""
    lower = tuple(address.lower() for address in _CONFIG.signers)

    assert (_MADE, _SEALED) == _CONFIG.decode()
    assert (_MADE, _SEALED) == replace(_CONFIG, signers=lower).decode()


def test_the_secret_is_no_difference() -> None:
    """Two encodings with other secrets are the same configuration: a random secret is no reason to send again."""
    other = replace(_CONFIG, encoded=_MADE.offchain.encode(replace(_SEALED, shared_secret_hash=bytes(32))))

    assert other.encoded != _CONFIG.encoded
    assert other.decode()[0] == _CONFIG.decode()[0]


@pytest.mark.parametrize("text", ["0x12", "", "nobody", "0x" + "g" * 40])
@pytest.mark.parametrize("name", ["signers", "transmitters"])
def test_what_is_no_address_is_named(name: str, text: str) -> None:
    """An address that is none is refused by its place."""
    config = replace(_CONFIG, **{name: (*getattr(_CONFIG, name)[:3], text)})  # type: ignore[arg-type]

    with pytest.raises(InvalidOcrConfig) as caught:
        config.decode()

    assert f"{name}[3]" == caught.value.field
