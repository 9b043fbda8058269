"""
The hops of a price on its way from an exchange into a block: one definition for what measures and what tells them.

    exchange ─▶ accepted ─▶ served ─▶ observed ─▶ signed ─▶ transmitted ─▶ included

A hop has the name of the moment that ends it. Clocks differ between hosts, and exchanges round their times, so that a
hop may come out below zero: it counts as none.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import pairwise


class Moment(StrEnum):
    """
    Name the moments of a price, in their order.

    EXCHANGE is the newest source's own time of its price; ACCEPTED is when that price arrived and was believed; SERVED
    is when the aggregator answered with the feed's quote; OBSERVED is when the signed observation was sent; SIGNED is
    when the report had its signatures; TRANSMITTED is when the transaction was handed to the chain; INCLUDED is when a
    block was seen to have it.
    """

    EXCHANGE = "exchange"
    ACCEPTED = "accepted"
    SERVED = "served"
    OBSERVED = "observed"
    SIGNED = "signed"
    TRANSMITTED = "transmitted"
    INCLUDED = "included"


HOPS: tuple[Moment, ...] = tuple(Moment)[1:]
"""The hops, each named by the moment that ends it."""


def durations_ms(moments_ms: Mapping[Moment, int]) -> Iterator[tuple[Moment, int]]:
    """
    Yield each hop whose two ends are known, with its milliseconds, in order.

    A moment that nobody knows joins no others: the hops beside it are left out.
    """
    for before, after in pairwise(Moment):
        if before in moments_ms and after in moments_ms:
            yield after, max(0, moments_ms[after] - moments_ms[before])
