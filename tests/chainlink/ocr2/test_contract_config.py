"""What a ConfigSet event of OCR2 says, and its digest, against what libocr itself made and read."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr2 import config_rules
from chainlink.ocr2.contract_config import Ocr2ContractConfig
from tests.chainlink.ocr2.made import in_numbers, made_ocr2_config, on_chain

_VECTORS: list[dict[str, Any]] = json.loads(Path("tests/vectors/ocr/config2.json").read_text())
_CONFIG = on_chain(_VECTORS[0]["event"], _VECTORS[0]["contract"], _VECTORS[0]["count"])


@pytest.mark.parametrize("vector", _VECTORS)
def test_decoding_what_libocr_wrote(vector: dict[str, Any]) -> None:
    """Each number of a configuration that libocr encoded is read, and each oracle opens the same secret."""
    config, sealed = on_chain(vector["event"], vector["contract"], vector["count"]).decode()
    scalars = [bytes.fromhex(oracle.pop("config")) for oracle in vector["settings"]["oracles"]]

    assert vector["settings"] == {
        **in_numbers(config),
        "oracles": [
            {name: value for name, value in oracle.items() if name != "config"}
            for oracle in in_numbers(config)["oracles"]
        ],
    }
    config_rules.check(config, sealed)
    assert 1 == len({sealed.open(index, scalar) for index, scalar in enumerate(scalars)})


@pytest.mark.parametrize("vector", _VECTORS)
def test_encoding_as_libocr(vector: dict[str, Any]) -> None:
    """With the secret that libocr chose our bytes are those of libocr."""
    event = on_chain(vector["event"], vector["contract"], vector["count"])
    config, sealed = event.decode()

    assert (event.onchain, event.offchain) == (config.answers.encode(), config.offchain.encode(sealed))


@pytest.mark.parametrize("vector", _VECTORS)
def test_digest_of_libocr(vector: dict[str, Any]) -> None:
    """On each chain the digest is the one that libocr computes."""
    event = on_chain(vector["event"], vector["contract"], vector["count"])

    assert vector["digests"] == {chain: event.digest(int(chain)).hex() for chain in vector["digests"]}


def test_digest_depends_on_everything() -> None:
    """Each of the nine values changes the digest."""
    changed = [
        replace(_CONFIG, contract="0x00000000000000000000000000000000000000c1"),
        replace(_CONFIG, config_count=2),
        replace(_CONFIG, signers=_CONFIG.signers[::-1]),
        replace(_CONFIG, transmitters=_CONFIG.transmitters[::-1]),
        replace(_CONFIG, f=2),
        replace(_CONFIG, onchain=_CONFIG.onchain + b"\0"),
        replace(_CONFIG, offchain_version=3),
        replace(_CONFIG, offchain=_CONFIG.offchain + b"\0"),
    ]
    digests = {config.digest(1337) for config in [_CONFIG, *changed]} | {_CONFIG.digest(1338)}

    assert 10 == len(digests)
    assert {(32, b"\0\1")} == {(len(digest), digest[:2]) for digest in digests}


@pytest.mark.parametrize("name", ["signers", "transmitters"])
def test_what_is_no_address_is_named(name: str) -> None:
    """An address that is none is refused by its place."""
    config: Ocr2ContractConfig = replace(_CONFIG, **{name: (*getattr(_CONFIG, name)[:3], "0x12")})  # type: ignore[arg-type]

    with pytest.raises(InvalidOcrConfig) as caught:
        config.decode()

    assert f"{name}[3]" == caught.value.field


def test_the_number_of_oracles() -> None:
    """There are as many oracles as signers."""
    assert (4, 31) == (made_ocr2_config().n, made_ocr2_config(31).n)
