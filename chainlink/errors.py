"""
Errors of what Chainlink defined: a text that has not the form it must have, or a value that no node would take.

    MeshError
    ├── InvalidInput
    │   ├── InvalidPeerId          the text is no peer id
    │   ├── InvalidOcrConfig       an OCR configuration that nodes or the contract refuse
    │   ├── SpecMalformed          a job specification that cannot be read at all (422)
    │   └── SpecInvalid            a job specification that breaks a rule (400)
    └── FailedPrecondition
        ├── KeyUnreadable          a key export has another form, is another key, or its password is wrong
        ├── UnreadableKeyFile      a file of a key cannot be read or does not decrypt
        ├── UnwritableSecrets      a file of a key or a record has to be written and cannot be
        ├── AnotherKey             a node has another key than the one that shall become its own
        ├── NoSuchKey              a node has no such key
        └── SecretsInUse           another process works with the same keys
"""

from pathlib import Path

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


class UnreadableKeyFile(FailedPrecondition):
    """A key file exists and cannot be read with the configured password; it is left as it is."""

    reason = "UNREADABLE_KEY_FILE"

    def __init__(self, path: Path, cause: str) -> None:
        super().__init__(f"{path}: {cause}")
        self.path = path
        self.cause = cause


class UnwritableSecrets(FailedPrecondition):
    """Something has to be written below `spSecretsDir` and cannot be."""

    reason = "UNWRITABLE_SECRETS"

    def __init__(self, path: Path, cause: str) -> None:
        super().__init__(
            f"{path} cannot be written: {cause}; make it writable, or have solution.spSecretsDir name a directory that "
            "is, and that is kept: what is there cannot be made again"
        )
        self.path = path
        self.cause = cause


class SecretsInUse(FailedPrecondition):
    """Another process works with the same keys."""

    reason = "SECRETS_IN_USE"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is in use: a mesh runs with these keys, or a command changes them; stop it first, "
            "since two meshes with the same keys would speak against each other"
        )
        self.path = path


class AnotherKey(FailedPrecondition):
    """A node has another key than the one that shall become its own."""

    reason = "ANOTHER_KEY"

    def __init__(self, path: Path, found: str, given: str) -> None:
        super().__init__(f"{path} holds another key: {found}; given is {given}, which takes its place with --force")
        self.path = path
        self.found = found
        self.given = given


class NoSuchKey(FailedPrecondition):
    """A node has no such key."""

    reason = "NO_SUCH_KEY"

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: there is no such file; a node's first start makes its keys")
        self.path = path
