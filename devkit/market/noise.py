"""Seeded value noise: a smooth pseudo-random function of time that can be evaluated anywhere at once.

A hash gives an integer at every lattice point of an octave; between two points the value is interpolated linearly.
Everything is integer arithmetic, so equal seeds give equal values on every machine.
"""

from functools import lru_cache
from hashlib import blake2b

UNIT = 10**9
"""The largest absolute value of the noise; read a value v as the fraction v / UNIT in [-1, 1]."""


@lru_cache(maxsize=1 << 17)
def lattice(seed: int, key: str, period_ms: int, index: int) -> int:
    """Hash one lattice point to an integer in [-UNIT, UNIT]."""
    digest = blake2b(f"{seed}|{key}|{period_ms}|{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % (2 * UNIT + 1) - UNIT


def noise(seed: int, key: str, period_ms: int, t_ms: int) -> int:
    """
    Evaluate one octave at a time.

    The result lies in [-UNIT, UNIT] and moves by at most 2 * UNIT / period_ms (rounded up) a millisecond.
    Each (key, period) has a phase of its own, or all octaves would have their extremes at the same instants.
    """
    shifted_ms = t_ms + abs(lattice(seed, f"{key}|phase", period_ms, 0)) % period_ms
    index, rest_ms = divmod(shifted_ms, period_ms)
    before = lattice(seed, key, period_ms, index)
    after = lattice(seed, key, period_ms, index + 1)
    return (before * (period_ms - rest_ms) + after * rest_ms) // period_ms
