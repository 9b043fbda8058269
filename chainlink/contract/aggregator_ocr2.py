"""The feed contract of OCR2: what it has other than that of OCR1 (`aggregator.py`), and what it says."""

from collections.abc import Mapping
from typing import Any

from chainlink.contract.abi_codec import Event, Field, Function
from chainlink.ocr2.contract_config import Ocr2ContractConfig
from meshkit.ethereum.address import checksummed

# What its creation code is given behind it.
CONSTRUCTOR = ("address", "int192", "int192", "address", "address", "uint8", "string")
LATEST_CONFIG_DETAILS = Function("latestConfigDetails", (), ("uint32", "uint32", "bytes32"))
LATEST_CONFIG_DIGEST_AND_EPOCH = Function("latestConfigDigestAndEpoch", (), ("bool", "bytes32", "uint32"))
LATEST_TRANSMISSION_DETAILS = Function(
    "latestTransmissionDetails", (), ("bytes32", "uint32", "uint8", "int192", "uint64")
)
SET_CONFIG = Function("setConfig", ("address[]", "address[]", "uint8", "bytes", "uint64", "bytes"))
TRANSMIT = Function("transmit", ("bytes32[3]", "bytes", "bytes32[]", "bytes32[]", "bytes32"))

CONFIG_SET = Event(
    "ConfigSet",
    (
        Field("previousConfigBlockNumber", "uint32"),
        Field("configDigest", "bytes32"),
        Field("configCount", "uint64"),
        Field("signers", "address[]"),
        Field("transmitters", "address[]"),
        Field("f", "uint8"),
        Field("onchainConfig", "bytes"),
        Field("offchainConfigVersion", "uint64"),
        Field("offchainConfig", "bytes"),
    ),
)
NEW_TRANSMISSION = Event(
    "NewTransmission",
    (
        Field("aggregatorRoundId", "uint32", indexed=True),
        Field("answer", "int192"),
        Field("transmitter", "address"),
        Field("observationsTimestamp", "uint32"),
        Field("observations", "int192[]"),
        Field("observers", "bytes"),
        Field("juelsPerFeeCoin", "int192"),
        Field("configDigest", "bytes32"),
        Field("epochAndRound", "uint40"),
    ),
)


def decode_config_set(log: Mapping[str, Any]) -> Ocr2ContractConfig:
    """Return the configuration of a ConfigSet log; Malformed if it is none."""
    return config_of(checksummed(str(log.get("address"))), CONFIG_SET.decode(log))


def config_of(contract: str, said: Mapping[str, Any]) -> Ocr2ContractConfig:
    """Return the configuration that a contract tells with the fields of a ConfigSet event."""
    return Ocr2ContractConfig(
        contract=contract,
        config_count=said["configCount"],
        signers=said["signers"],
        transmitters=said["transmitters"],
        f=said["f"],
        onchain=said["onchainConfig"],
        offchain_version=said["offchainConfigVersion"],
        offchain=said["offchainConfig"],
    )
