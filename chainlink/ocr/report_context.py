"""The 32 bytes that say which round of which configuration a report belongs to."""

from dataclasses import dataclass

_PADDING = bytes(11)
_LENGTH = 32


@dataclass(frozen=True, slots=True)
class ReportContext:
    """Hold a configuration's digest of 16 bytes, an epoch and a round."""

    config_digest: bytes
    epoch: int
    round: int


def context_tag(config_digest: bytes, epoch: int, round_number: int) -> bytes:
    """Return the 32 bytes 11 zeros, digest (16), epoch (4, big-endian), round (1) that every signature covers."""
    return _PADDING + config_digest + epoch.to_bytes(4, "big") + round_number.to_bytes(1, "big")


def read_context_tag(tag: bytes) -> ReportContext:
    """Return what the 32 bytes of a context tag say; the first 11 are what the contract takes, which is anything."""
    if len(tag) != _LENGTH:
        raise ValueError(f"a context tag of {len(tag)} bytes, allowed: {_LENGTH}")
    return ReportContext(tag[11:27], int.from_bytes(tag[27:31], "big"), tag[31])
