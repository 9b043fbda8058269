"""Logs over more blocks than an endpoint answers for at once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainlink.rpc.errors import Malformed, RpcRefused
from chainlink.rpc.log_ranges import LogQuery, in_pieces

ADDRESS = "0x" + "Aa" * 20
TOPIC = bytes(range(32))
QUERY = LogQuery((ADDRESS,), TOPIC)


def log(block: int, index: int = 0, **changes: object) -> dict[str, Any]:
    """Return a log of a block."""
    made = {
        "address": ADDRESS.lower(),
        "topics": ["0x" + TOPIC.hex()],
        "blockNumber": hex(block),
        "logIndex": hex(index),
    }
    return made | changes


class Limited:
    """Give one log a block, but refuse more than so many blocks."""

    def __init__(self, most: int, code: int = -32005, message: str = "limit exceeded") -> None:
        self.most, self.code, self.message = most, code, message
        self.asked: list[tuple[int, int]] = []

    async def __call__(self, first: int, last: int) -> list[dict[str, Any]]:
        self.asked.append((first, last))
        if last - first + 1 > self.most:
            raise RpcRefused("eth_getLogs", self.code, self.message)
        return [log(block) for block in range(first, last + 1)]


@given(st.integers(0, 2000), st.integers(1, 1500), st.integers(1, 1200), st.none() | st.integers(1, 2000))
async def test_every_block_is_read_once(first: int, length: int, limit: int, known: int | None) -> None:
    """Whatever an endpoint's limit and whatever was known of it, each block's logs are read once and in order."""
    endpoint = Limited(limit)
    last = first + length - 1
    found, most = await in_pieces(endpoint, first, last, known)

    assert list(range(first, last + 1)) == [int(item["blockNumber"], 16) for item in found]
    assert (most == known and (most is None or length <= limit or most <= limit)) or (most or 0) <= limit


async def test_the_limit_is_found_once() -> None:
    """A limit of 499 costs two refusals the first time, and none once it is known."""
    endpoint = Limited(499)
    _, most = await in_pieces(endpoint, 1, 1000, None)
    assert (2, 250) == (sum(last - first + 1 > 499 for first, last in endpoint.asked), most)

    endpoint.asked.clear()
    await in_pieces(endpoint, 1, 1000, most)
    assert [(1, 250), (251, 500), (501, 750), (751, 1000)] == endpoint.asked


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (-32601, "the method eth_getLogs does not exist/is not available"),
        (-32005, "daily request count exceeded, request rate limited"),
    ],
)
async def test_what_is_not_about_the_range(code: int, message: str) -> None:
    """An endpoint without logs, or without room, is not asked again and again in smaller pieces."""
    endpoint = Limited(0, code, message)
    with pytest.raises(RpcRefused, match=message):
        await in_pieces(endpoint, 1, 1000, None)
    assert 1 == len(endpoint.asked)


async def test_a_single_block_that_is_refused() -> None:
    """When even one block is refused there are no logs, after few questions."""
    endpoint = Limited(0)
    with pytest.raises(RpcRefused, match="limit exceeded"):
        await in_pieces(endpoint, 1, 1000, None)
    assert 10 == len(endpoint.asked)


def test_logs_come_in_chain_order() -> None:
    """Logs are put in the order of the chain, whatever order they came in."""
    answer = [log(7, 2), log(6, 9), log(7, 1)]
    assert [(6, 9), (7, 1), (7, 2)] == [
        (int(item["blockNumber"], 16), int(item["logIndex"], 16)) for item in QUERY.read(answer, 5, 7)
    ]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({}, "answered dict"),
        ([5], "no log"),
        ([log(8)], "a log of block 8, asked was 5 to 7"),
        ([log(5, address="0x" + "bb" * 20)], "a log of 0xbb"),
        ([log(5, topics=["0x" + "00" * 32])], "another event"),
        ([log(5, topics=[])], "another event"),
        ([log(5, blockNumber=None)], "no quantity"),
        ([log(5, logIndex="5")], "no quantity"),
    ],
)
def test_what_was_not_asked_for(answer: object, words: str) -> None:
    """A log of another block, contract or event is refused."""
    with pytest.raises(Malformed, match=words):
        QUERY.read(answer, 5, 7)


def test_the_question() -> None:
    """One contract is asked for by its address, several by a list."""
    expected = {"address": ADDRESS, "topics": ["0x" + TOPIC.hex()], "fromBlock": "0x1", "toBlock": "0x1f"}
    assert expected == QUERY.params(1, 31)
    assert (ADDRESS, ADDRESS) == LogQuery((ADDRESS, ADDRESS), TOPIC).params(1, 1)["address"]
