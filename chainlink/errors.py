"""
Errors of what Chainlink defined: a text that has not the form it must have, or a value that no node would take.

    MeshError
    ├── InvalidInput
    │   ├── InvalidPeerId          the text is no peer id
    │   ├── InvalidOcrConfig       an OCR configuration that nodes or the contract refuse
    │   ├── SpecMalformed          a job specification that cannot be read at all (422)
    │   └── SpecInvalid            a job specification that breaks a rule (400)
    └── FailedPrecondition
        └── KeyUnreadable          a key export has another form, is another key, or its password is wrong
"""

from meshkit.errors import FailedPrecondition, InvalidInput


class InvalidPeerId(InvalidInput):
    """The text is no peer id of an ed25519 key."""

    reason = "INVALID_PEER_ID"


class InvalidOcrConfig(InvalidInput):
    """An OCR configuration that nodes or the contract refuse."""

    reason = "INVALID_OCR_CONFIG"


class SpecMalformed(InvalidInput):
    """A job specification cannot be read: TOML syntax, type, version or pipeline."""

    reason = "SPEC_MALFORMED"
    http_status = 422

    def __str__(self) -> str:
        return f"failed to parse TOML: {super().__str__()}"


class SpecInvalid(InvalidInput):
    """A job specification can be read, but breaks a rule."""

    reason = "SPEC_INVALID"


class KeyUnreadable(FailedPrecondition):
    """A key export cannot be read; the text never shows what it holds."""

    reason = "KEY_UNREADABLE"
    http_status = 500  # as a node answers such an import
