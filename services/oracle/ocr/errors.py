"""
Errors of the protocol.

InvalidOcrConfig          a configuration that no oracle must run: field, found, allowed (chainlink.errors)
└── IdentityError         a configuration in which this oracle does not stand, or stands with other keys
OcrError
└── ProtocolError         a message that cannot be decoded: field, found
"""

from chainlink.errors import InvalidOcrConfig


class OcrError(Exception):
    """Root of the errors of the protocol."""


class IdentityError(InvalidOcrConfig):
    """Refuse a configuration because of who this oracle is."""


class ProtocolError(OcrError):
    """Refuse bytes that are no message; `field` is where, `found` what."""

    def __init__(self, field: str, found: object) -> None:
        super().__init__(field, found)
        self.field = field
        self.found = found

    def __str__(self) -> str:
        return f"malformed message: {self.field}: {self.found}"
