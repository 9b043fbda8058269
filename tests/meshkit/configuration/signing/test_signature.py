"""Signatures of configurations."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit.configuration.signing import signature
from meshkit.configuration.signing.signature import BadSignature
from meshkit.errors import InvalidInput
from tests.deployment import KEYS, SIGNED

VECTORS = json.loads(KEYS.read_text())
PUBLIC = signature.public_key(VECTORS["publicKeyDerBase64"])
DOCUMENT: dict[str, Any] = json.loads(SIGNED.read_text())


@pytest.fixture(name="key_file", scope="module")
def _key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a file with the private key of the vectors."""
    path = tmp_path_factory.mktemp("key") / "key"
    path.write_text(VECTORS["privateKeyDerBase64"] + "\n")
    return path


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["hash"][:8])
def test_signatures_of_others_hold(case: dict[str, Any]) -> None:
    """Each recorded signature is one of its payload, and of no other."""
    document = {"solution": {**case["payload"], "signature": case["signature"]}}
    signature.verify(document, PUBLIC)
    document["solution"]["another"] = 1
    with pytest.raises(BadSignature, match="of other content"):
        signature.verify(document, PUBLIC)


def test_a_deployments_file_is_valid() -> None:
    """The signed file of the vectors is, whatever its signature's half of the curve."""
    signature.verify(DOCUMENT, PUBLIC)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["hash"][:8])
def test_what_we_sign_holds(case: dict[str, Any], key_file: Path) -> None:
    """A signature of ours is valid by the same key, and replaces one that is there."""
    document: dict[str, Any] = {"solution": {**case["payload"], "signature": "old"}}
    document["solution"]["signature"] = signature.sign(document, signature.private_key(key_file))
    signature.verify(document, PUBLIC)


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield every place of a document below its root."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in below:
        yield (*place, name)
        yield from places(each, (*place, name))


PLACES = [place for place in places(DOCUMENT["solution"]) if place != ("signature",)]


def at(document: Any, place: tuple[Any, ...]) -> Any:
    """Return what is at a place."""
    for name in place:
        document = document[name]
    return document


def flips(value: Any) -> list[Any]:
    """Return values that are not the same, of the same type and of each other."""
    others: list[Any] = [None, True, False, 0, 1, "", "x", [], {}, [value], {"a": value}]
    if isinstance(value, str):
        others += [f"{value}x", value[:-1], value.upper() + "y"]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        others += [value + 1, -value - 1, str(value)]
    elif isinstance(value, list):
        others += [[*value, *value[:1], 0], value[1:]]
    elif isinstance(value, dict):
        others += [{**value, "added": None}, dict(list(value.items())[1:])]
    return [other for other in others if type(other) is not type(value) or other != value]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_change_of_a_field_is_found(data: st.DataObject) -> None:
    """Another value, another type, null, or nothing at all at any place of the file makes its signature invalid."""
    place = data.draw(st.sampled_from(PLACES))
    document = copy.deepcopy(DOCUMENT)
    *above, name = place
    section = at(document["solution"], tuple(above))
    if data.draw(st.booleans()):
        section[name] = data.draw(st.sampled_from(flips(section[name])))
    else:
        del section[name]
    with pytest.raises(BadSignature):
        signature.verify(document, PUBLIC)


@settings(max_examples=25, deadline=None)
@given(st.randoms())
def test_the_order_of_keys_and_lists_is_not_signed(random: Any) -> None:
    """As with the existing tool; and 1 and 1.0 are one number there."""

    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            names = list(value)
            random.shuffle(names)
            return {name: shuffled(value[name]) for name in names}
        if isinstance(value, list):
            return random.sample([shuffled(each) for each in value], len(value))
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    signature.verify(shuffled(DOCUMENT), PUBLIC)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (None, "no signature"),
        ("", "no signature"),
        (7, "no signature"),
        ("§", "not base64"),
        ("AAAA", "of other content, or by another key"),
    ],
)
def test_what_is_no_signature_is_refused(given: object, found: str) -> None:
    """The error says what was found."""
    document = {"solution": {**DOCUMENT["solution"], "signature": given}}
    with pytest.raises(BadSignature, match=found):
        signature.verify(document, PUBLIC)


def test_another_keys_signature_is_refused() -> None:
    """A valid signature by a key that is not ours is none."""
    key = signature.new_private_key()
    document = copy.deepcopy(DOCUMENT)
    document["solution"]["signature"] = signature.sign(document, key)
    signature.verify(document, key.public_key())
    with pytest.raises(BadSignature, match="another key"):
        signature.verify(document, PUBLIC)


def test_keys_are_given_as_text_or_in_files(tmp_path: Path) -> None:
    """Base64 of DER, a file of it, and a PEM file are the same key."""
    text, file, pem = VECTORS["publicKeyDerBase64"], tmp_path / "der", tmp_path / "pem"
    file.write_text(f"{text}\n")
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    pem.write_text("\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""]))
    found = {signature.fingerprint(signature.public_key(each)) for each in (text, str(file), str(pem), f" {text} ")}

    assert {signature.fingerprint(PUBLIC)} == found
    assert text == signature.public_text(PUBLIC)


# An Ed25519 key, and one that is cut short.
@pytest.mark.parametrize(
    "text",
    [
        "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
        VECTORS["publicKeyDerBase64"][:40],
        VECTORS["privateKeyDerBase64"],
        "/nonexistent/key",
        "no key",
    ],
)
def test_what_is_no_key_is_refused_by_its_variable(text: str) -> None:
    """The error names CONFIGURATION_PUBLIC_KEY and what it may be."""
    with pytest.raises(InvalidInput, match=r"^CONFIGURATION_PUBLIC_KEY: found .*secp256k1"):
        signature.public_key(text)


def test_what_is_no_private_key_is_refused_without_being_shown(tmp_path: Path) -> None:
    """The error names the option and the file, not what is in it."""
    path = tmp_path / "key"
    path.write_text("this-is-secret")
    with pytest.raises(InvalidInput, match=r"^--key: ") as caught:
        signature.private_key(path)
    assert "this-is-secret" not in str(caught.value)
    path.write_text(signature.private_text(signature.new_private_key()))
    signature.private_key(path)


def test_a_number_that_signatures_cannot_tell_is_refused(key_file: Path) -> None:
    """The error names the place in the file."""
    with pytest.raises(InvalidInput, match=r"^solution\.faucetMinWei: found '9007199254740993'"):
        signature.sign({"solution": {"faucetMinWei": 2**53 + 1}}, signature.private_key(key_file))
