"""Who leads an epoch, and who transmits a report when: the pseudo-random functions of the shared secret."""

import itertools
from collections.abc import Iterator, Sequence

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from meshkit.ethereum.keccak import keccak256

_LEADER_LABEL = b"chainlink offchain reporting v1 leader selection key"
_TX_ORDER_LABEL = b"chainlink offchain reporting v1 transmission order key"
_KEY_LENGTH = 16
_WORD = 1 << 32


def leader_key(shared_secret: bytes) -> bytes:
    """Derive the 16-byte key of leader selection from the 16-byte shared secret."""
    return keccak256(shared_secret + _LEADER_LABEL)[:_KEY_LENGTH]


def tx_order_key(shared_secret: bytes) -> bytes:
    """Derive the 16-byte key of the transmission order from the 16-byte shared secret."""
    return keccak256(shared_secret + _TX_ORDER_LABEL)[:_KEY_LENGTH]


def leader(epoch: int, key: bytes, n: int) -> int:
    """Return the index of the epoch's leader among n oracles; consecutive epochs may have the same one."""
    return int.from_bytes(keccak256(key + epoch.to_bytes(8, "little")), "big") % n


def permutation(n: int, key: bytes) -> tuple[int, ...]:
    """Return a permutation of 0..n-1 by a Fisher-Yates shuffle over the AES-128-CTR keystream of a 16-byte key."""
    words = _uniform_words(key)
    order = list(range(n))
    for i in range(n - 1, 0, -1):
        j = _bounded(i + 1, words)
        order[i], order[j] = order[j], order[i]
    return tuple(order)


def transmission_order(key: bytes, config_digest: bytes, epoch: int, round_number: int, n: int) -> tuple[int, ...]:
    """Return each oracle's position in the transmission order of a round: element i is the position of oracle i."""
    context = config_digest + epoch.to_bytes(8, "little") + round_number.to_bytes(8, "little")
    return permutation(n, keccak256(key + context)[:_KEY_LENGTH])


def stage(position: int, stage_sizes: Sequence[int]) -> int | None:
    """Return the transmission stage of a position: the first i with s[0]+…+s[i] > position; None if there is none."""
    for index, end in enumerate(itertools.accumulate(stage_sizes)):
        if end > position:
            return index
    return None


def _uniform_words(key: bytes) -> Iterator[int]:
    # The deployed network draws 63-bit numbers from the stream and uses their upper 32 bits.
    stream = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    while True:
        draw = int.from_bytes(stream.update(bytes(8)), "little") & ((1 << 63) - 1)
        yield draw >> 31


def _bounded(k: int, words: Iterator[int]) -> int:
    # Lemire's multiply-and-reject method: unbiased, and the rejection is part of the agreed order.
    product = next(words) * k
    if product % _WORD < k:
        threshold = (_WORD - k) % k
        while product % _WORD < threshold:
            product = next(words) * k
    return product // _WORD
