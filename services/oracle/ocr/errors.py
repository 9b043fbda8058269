"""
Errors of the protocol.

OcrError
├── ConfigError           a configuration that an oracle must not run: field, found, allowed
│   └── IdentityError     a configuration in which this oracle does not stand, or stands with other keys
└── ProtocolError         a message that cannot be decoded: field, found
"""


class OcrError(Exception):
    """Root of all errors of the protocol."""


class ConfigError(OcrError):
    """Refuse a configuration; `field` is the name in the configuration, `found` and `allowed` are for humans."""

    def __init__(self, field: str, found: object, allowed: str) -> None:
        super().__init__(field, found, allowed)
        self.field = field
        self.found = found
        self.allowed = allowed

    def __str__(self) -> str:
        return f"{self.field}: found {self.found}, allowed is {self.allowed}"


class IdentityError(ConfigError):
    """Refuse a configuration because of who this oracle is."""


class ProtocolError(OcrError):
    """Refuse bytes that are no message; `field` is where, `found` what."""

    def __init__(self, field: str, found: object) -> None:
        super().__init__(field, found)
        self.field = field
        self.found = found

    def __str__(self) -> str:
        return f"malformed message: {self.field}: {self.found}"
