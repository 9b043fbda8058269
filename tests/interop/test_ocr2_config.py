"""An OCR2 configuration of ours in libocr itself: what it reads of it, which it refuses, and the digest."""

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr.shared_secret import SharedSecretEncryptions
from chainlink.ocr2.contract_config import Ocr2Config, Ocr2ContractConfig
from chainlink.ocr2.median_config import AnswerRange
from tests.chainlink.ocr2.made import config_scalar, in_json, in_numbers, on_chain
from tests.chainlink.ocr2.test_config_rules import BORNE, REFUSED
from tests.interop.library import CONTRACT, ask, configurations


def _event(config: Ocr2Config) -> Ocr2ContractConfig:
    scalars = [X25519PrivateKey.from_private_bytes(config_scalar(index)) for index in range(config.n)]
    keys = [scalar.public_key().public_bytes_raw() for scalar in scalars]
    sealed = SharedSecretEncryptions.seal(bytes(range(16)), b"\7" * 32, keys)
    return Ocr2ContractConfig(
        CONTRACT,
        2,
        config.signers,
        config.transmitters,
        config.f,
        config.answers.encode(),
        config.version,
        config.offchain.encode(sealed),
    )


@pytest.mark.parametrize("config", [*configurations(), *BORNE])
def test_libocr_reads_what_we_write(program: Path, config: Ocr2Config) -> None:
    """Every number that we encode is what libocr decodes, and it computes our digest."""
    event = _event(config)
    answer = ask(program, "decode2", in_json(event, 5611))

    assert None is answer.get("error")
    assert event.digest(5611).hex() == answer["digest"]
    assert in_numbers(config) == answer["settings"]


@pytest.mark.parametrize("config", configurations())
def test_we_read_what_libocr_writes(program: Path, config: Ocr2Config) -> None:
    """What libocr encodes of the same numbers is decoded to them, with the secret that each oracle opens."""
    made = on_chain(ask(program, "encode2", in_numbers(config, with_scalars=True)), CONTRACT, 1)
    found, sealed = made.decode()

    assert config == found
    assert 1 == len({sealed.open(index, config_scalar(index)) for index in range(config.n)})


@pytest.mark.parametrize("config", [config for config, _ in REFUSED])
def test_libocr_refuses_what_we_refuse(program: Path, config: Ocr2Config) -> None:
    """No rule of ours is an invention: libocr refuses the same configurations."""
    assert ask(program, "decode2", in_json(_event(config), 5611))["error"]


def test_an_empty_range_is_refused_by_both(program: Path) -> None:
    """A range of answers in which no answer lies is refused here and there."""
    event = replace(_event(configurations()[0]), onchain=AnswerRange(2, 1).encode())

    assert "should not be greater" in ask(program, "decode2", in_json(event, 1))["error"]
    with pytest.raises(InvalidOcrConfig):
        event.decode()
