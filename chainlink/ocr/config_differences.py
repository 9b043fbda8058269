"""In what two configurations differ, in words that name the field and say what stands on either side."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import fields

from chainlink.ocr.contract_config import OcrConfig


def config_differences(found: OcrConfig, ours: OcrConfig, *, other: str = "ours") -> tuple[str, ...]:
    """
    Return in what a configuration differs from another one, which is called `other`; nothing if it does not.

    The shared secret is no part of it. Of lists it is told whether one has other members, another order or doubles.
    """
    return tuple(_differences(found, ours, other))


def _differences(found: OcrConfig, ours: OcrConfig, other: str) -> Iterator[str]:
    if found.n != ours.n:
        yield f"n is {found.n}, {other} {ours.n}"
    for name in ("f", "version"):
        yield from _of_value(name, getattr(found, name), getattr(ours, name), other)
    for name in ("signers", "transmitters"):
        yield from _of_list(name, getattr(found, name), getattr(ours, name), other)
    for field in fields(found.offchain):
        there, here = getattr(found.offchain, field.name), getattr(ours.offchain, field.name)
        is_list = field.name in ("offchain_public_keys", "peer_ids")
        yield from (_of_list if is_list else _of_value)(field.name, there, here, other)


def _of_value(name: str, found: object, ours: object, other: str) -> Iterator[str]:
    if found != ours:
        yield f"{name} is {found}, {other} {ours}"


def _of_list(name: str, found: Sequence[object], ours: Sequence[object], other: str) -> Iterator[str]:
    if found == ours:
        return
    doubles = [each for each, count in Counter(found).items() if count > 1]
    if doubles:
        yield f"{name} has {len(doubles)} more than once: {', '.join(map(_shown, doubles))}"
    if Counter(found) == Counter(ours):
        yield f"{name} are in another order than {other}"
        return
    strange = [_shown(each) for each in dict.fromkeys(found) if each not in ours]
    missing = [_shown(each) for each in dict.fromkeys(ours) if each not in found]
    if strange:
        yield f"{name} has {', '.join(strange)}, which {other} has not"
    if missing:
        yield f"{name} lacks {', '.join(missing)}"


def _shown(member: object) -> str:
    return member.hex() if isinstance(member, bytes) else str(member)
