"""A configuration is believed only when the contract's own digest is that of what the event says."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from eth_abi.abi import encode

from chainlink.contract.aggregator import CONFIG_SET
from chainlink.ocr.contract_config import ContractConfig
from chainlink.rpc.client import RpcClient
from chainlink.rpc.errors import Malformed
from meshkit.clock import ManualClock
from services.oracle.chain.contract_config_tracker import ConfigTracker
from services.oracle.chain.heads import HeadTracker
from tests.oracle.ocr.committee import CONTRACT, make_committee

TRUE = make_committee().contract_config
BLOCK = 5


def event(config: ContractConfig) -> dict[str, Any]:
    """Return the log of a configuration."""
    types = ("uint32", "uint64", "address[]", "address[]", "uint8", "uint64", "bytes")
    lists = (config.signers, config.transmitters, config.f, config.encoded_version, config.encoded)
    data = "0x" + encode(types, (0, config.config_count, *lists)).hex()
    return {"address": config.contract, "topics": ["0x" + CONFIG_SET.topic.hex()], "data": data}


class Endpoint:
    """Be an endpoint that names the true digest, but gives the logs it is told to, and be far ahead."""

    def __init__(self, logs: Sequence[dict[str, Any]], count: int = 1) -> None:
        self._logs = logs
        self.count = count

    async def eth_call(self, to: str, data: bytes) -> bytes:
        return encode(("uint32", "uint32", "bytes16"), (self.count, BLOCK, TRUE.digest()))

    async def logs(self, address: str, topic: bytes, first: int, last: int) -> Sequence[dict[str, Any]]:
        assert (BLOCK, BLOCK) == (first, last)
        return self._logs

    async def poll(self) -> int:
        return 100


def tracker(*logs: dict[str, Any]) -> ConfigTracker:
    """Return a tracker that sees these logs."""
    endpoint = Endpoint(logs)
    return ConfigTracker(cast(RpcClient, endpoint), cast(HeadTracker, endpoint), CONTRACT, 1)


async def test_the_last_event_of_the_block_counts() -> None:
    """Of two configurations in one block the contract has the second."""
    found = await tracker(event(replace(TRUE, f=0)), event(TRUE)).poll(None)

    assert found is not None
    assert TRUE == found.config


async def test_an_endpoint_that_is_behind() -> None:
    """An earlier configuration than the known one is that of a node which is behind, unless all go on telling of it."""
    clock, endpoint, known = ManualClock(), Endpoint([event(TRUE)]), bytes([7]) * 16
    behind = ConfigTracker(cast(RpcClient, endpoint), cast(HeadTracker, endpoint), CONTRACT, 1, clock)
    for _ in range(2):
        assert await behind.poll(known, 2) is None
        clock.advance(29)
        # Another node, which has the known one, answers in between.
        assert await behind.poll(TRUE.digest(), 2) is None
    assert await behind.poll(known, 2) is None
    clock.advance(30)
    found = await behind.poll(known, 2)
    assert found is not None
    assert TRUE == found.config

    endpoint.count = 2
    again = ConfigTracker(cast(RpcClient, endpoint), cast(HeadTracker, endpoint), CONTRACT, 1, clock)
    assert await again.poll(known, 2) is not None


@pytest.mark.parametrize(
    "told",
    [
        replace(TRUE, config_count=2),
        replace(TRUE, signers=TRUE.signers[::-1]),
        replace(TRUE, transmitters=TRUE.transmitters[::-1]),
        replace(TRUE, f=0),
        replace(TRUE, encoded_version=2),
        replace(TRUE, encoded=TRUE.encoded[:-1] + b"\1"),
        replace(TRUE, contract="0x00000000000000000000000000000000000000C1"),
    ],
)
async def test_another_digest_is_refused(told: ContractConfig) -> None:
    """An event that is not the one the contract's digest was made of is no configuration."""
    with pytest.raises(Malformed, match="has digest"):
        await tracker(event(told)).poll(None)


async def test_no_event() -> None:
    """An endpoint that has lost the block's logs is told from a contract without a configuration."""
    with pytest.raises(Malformed, match="no ConfigSet event"):
        await tracker().poll(None)
