"""The feed contract: the functions and events that we use of it, and what they say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainlink.contract.abi_codec import Event, Field, Function
from chainlink.ocr.contract_config import ContractConfig
from meshkit.ethereum.address import checksummed

DESCRIPTION = Function("description", (), ("string",))
DECIMALS = Function("decimals", (), ("uint8",))
OWNER = Function("owner", (), ("address",))
MIN_ANSWER = Function("minAnswer", (), ("int192",))
MAX_ANSWER = Function("maxAnswer", (), ("int192",))
LATEST_CONFIG_DETAILS = Function("latestConfigDetails", (), ("uint32", "uint32", "bytes16"))
LATEST_TRANSMISSION_DETAILS = Function(
    "latestTransmissionDetails", (), ("bytes16", "uint32", "uint8", "int192", "uint64")
)
LATEST_ROUND_DATA = Function("latestRoundData", (), ("uint80", "int256", "uint256", "uint256", "uint80"))
GET_ROUND_DATA = Function("getRoundData", ("uint80",), ("uint80", "int256", "uint256", "uint256", "uint80"))
SET_PAYEES = Function("setPayees", ("address[]", "address[]"))
SET_CONFIG = Function("setConfig", ("address[]", "address[]", "uint8", "uint64", "bytes"))
TRANSMIT = Function("transmit", ("bytes", "bytes32[]", "bytes32[]", "bytes32"))

CONFIG_SET = Event(
    "ConfigSet",
    (
        Field("previousConfigBlockNumber", "uint32"),
        Field("configCount", "uint64"),
        Field("signers", "address[]"),
        Field("transmitters", "address[]"),
        Field("threshold", "uint8"),
        Field("encodedConfigVersion", "uint64"),
        Field("encoded", "bytes"),
    ),
)
NEW_TRANSMISSION = Event(
    "NewTransmission",
    (
        Field("aggregatorRoundId", "uint32", indexed=True),
        Field("answer", "int192"),
        Field("transmitter", "address"),
        Field("observations", "int192[]"),
        Field("observers", "bytes"),
        Field("rawReportContext", "bytes32"),
    ),
)
ROUND_REQUESTED = Event(
    "RoundRequested",
    (
        Field("requester", "address", indexed=True),
        Field("configDigest", "bytes16"),
        Field("epoch", "uint32"),
        Field("round", "uint8"),
    ),
)


@dataclass(frozen=True, slots=True)
class ConfigDetails:
    """Hold what `latestConfigDetails()` returns: the count is 0 and the digest zeros before the first `setConfig`."""

    config_count: int
    block: int
    config_digest: bytes


@dataclass(frozen=True, slots=True)
class TransmissionDetails:
    """
    Hold what `latestTransmissionDetails()` returns.

    `config_digest` (16 bytes) is that of the contract's current config, not that of its last report. `answer` is the
    last median, `timestamp_s` the block time of the last report in Unix seconds (0 when there was none).
    """

    config_digest: bytes
    epoch: int
    round: int
    answer: int
    timestamp_s: int


@dataclass(frozen=True, slots=True)
class RoundData:
    """Hold what `latestRoundData()` returns: the round is 0 before the first report, times are Unix seconds."""

    round_id: int
    answer: int
    started_s: int
    updated_s: int
    answered_in_round: int


@dataclass(frozen=True, slots=True)
class RoundRequested:
    """Hold the latest RoundRequested event: the digest (16 bytes), epoch and round the contract had when asked."""

    config_digest: bytes
    epoch: int
    round: int


def decode_config_details(data: bytes) -> ConfigDetails:
    """Return the answer of `latestConfigDetails()`; Malformed if it is none."""
    return ConfigDetails(*LATEST_CONFIG_DETAILS.decode(data))


def decode_transmission_details(data: bytes) -> TransmissionDetails:
    """Return the answer of `latestTransmissionDetails()`; Malformed if it is none."""
    return TransmissionDetails(*LATEST_TRANSMISSION_DETAILS.decode(data))


def decode_round_data(data: bytes) -> RoundData:
    """Return the answer of `latestRoundData()`; Malformed if it is none."""
    return RoundData(*LATEST_ROUND_DATA.decode(data))


def decode_config_set(log: Mapping[str, Any]) -> ContractConfig:
    """Return the configuration of a ConfigSet log; Malformed if it is none."""
    return config_of(checksummed(str(log.get("address"))), CONFIG_SET.decode(log))


def config_of(contract: str, said: Mapping[str, Any]) -> ContractConfig:
    """Return the configuration that a contract tells with the fields of a ConfigSet event."""
    return ContractConfig(
        contract=contract,
        config_count=said["configCount"],
        signers=said["signers"],
        transmitters=said["transmitters"],
        f=said["threshold"],
        encoded_version=said["encodedConfigVersion"],
        encoded=said["encoded"],
    )


def decode_round_requested(log: Mapping[str, Any]) -> RoundRequested:
    """Return the event of a RoundRequested log; Malformed if it is none."""
    said = ROUND_REQUESTED.decode(log)
    return RoundRequested(said["configDigest"], said["epoch"], said["round"])


def transmit_calldata(report: bytes, rs: Sequence[bytes], ss: Sequence[bytes], raw_vs: bytes) -> bytes:
    """Return the call data of `transmit`, canonically and tightly encoded as the contract demands."""
    return TRANSMIT.call_data(report, list(rs), list(ss), raw_vs)
