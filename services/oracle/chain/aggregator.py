"""The aggregator contract's functions and events, as bytes."""

from collections.abc import Mapping, Sequence
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from chainlink.address import checksummed
from chainlink.ocr.contract_config import ContractConfig
from chainlink.rpc.answers import blob
from chainlink.rpc.errors import Malformed
from services.oracle.ocr.state import RoundRequested, TransmissionDetails

CONFIG_SET = keccak(text="ConfigSet(uint32,uint64,address[],address[],uint8,uint64,bytes)")
ROUND_REQUESTED = keccak(text="RoundRequested(address,bytes16,uint32,uint8)")
LATEST_TRANSMISSION_DETAILS = keccak(text="latestTransmissionDetails()")[:4]
LATEST_CONFIG_DETAILS = keccak(text="latestConfigDetails()")[:4]
LATEST_ROUND_DATA = keccak(text="latestRoundData()")[:4]
_TRANSMIT = keccak(text="transmit(bytes,bytes32[],bytes32[],bytes32)")[:4]


def transmit_calldata(report: bytes, rs: Sequence[bytes], ss: Sequence[bytes], raw_vs: bytes) -> bytes:
    """Return the calldata of `transmit`, canonically and tightly encoded as the contract demands."""
    return _TRANSMIT + encode(("bytes", "bytes32[]", "bytes32[]", "bytes32"), (report, list(rs), list(ss), raw_vs))


def decode_transmission_details(data: bytes) -> TransmissionDetails:
    """Return the answer of `latestTransmissionDetails()`; Malformed if it is none."""
    return TransmissionDetails(*_decode(("bytes16", "uint32", "uint8", "int192", "uint64"), data))


def decode_config_details(data: bytes) -> tuple[int, bytes]:
    """Return block number and digest of the answer of `latestConfigDetails()`; Malformed if it is none."""
    _, block, digest = _decode(("uint32", "uint32", "bytes16"), data)
    return block, digest


def decode_config_count(data: bytes) -> int:
    """Return how many configurations the answer of `latestConfigDetails()` counts; Malformed if it is none."""
    count: int = _decode(("uint32", "uint32", "bytes16"), data)[0]
    return count


def decode_config_set(log: Mapping[str, Any]) -> ContractConfig:
    """Return the configuration of a ConfigSet log; Malformed if it is none."""
    types = ("uint32", "uint64", "address[]", "address[]", "uint8", "uint64", "bytes")
    _, count, signers, transmitters, f, version, encoded = _decode(types, blob(log.get("data")))
    return ContractConfig(
        checksummed(str(log.get("address"))),
        count,
        tuple(map(checksummed, signers)),
        tuple(map(checksummed, transmitters)),
        f,
        version,
        encoded,
    )


def decode_round_requested(log: Mapping[str, Any]) -> RoundRequested:
    """Return the event of a RoundRequested log; Malformed if it is none."""
    return RoundRequested(*_decode(("bytes16", "uint32", "uint8"), blob(log.get("data"))))


def _decode(types: Sequence[str], data: bytes) -> tuple[Any, ...]:
    try:
        return decode(types, data)
    except (DecodingError, ValueError, OverflowError) as error:
        raise Malformed(f"not the encoding of ({','.join(types)}): {error}") from error
