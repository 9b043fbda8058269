"""What the median plugin of OCR2 is configured with: when it reports, and which answers the contract takes."""

from dataclasses import dataclass

from google.protobuf.message import DecodeError

from chainlink.errors import InvalidOcrConfig
from feedmesh.ocr.v1 import ocr2_config_pb2 as pb

_RANGE_VERSION = 1
_ANSWER_BYTES = 24
_RANGE_BYTES = 1 + 2 * _ANSWER_BYTES


@dataclass(frozen=True, slots=True)
class MedianConfig:
    """
    Hold the plugin's off-chain configuration: deviations in parts per billion, the heartbeat in nanoseconds.

    `report` is about the answer on chain, `accept` about a report that waits to be transmitted; an infinite deviation
    is one that no answer has.
    """

    alpha_report_infinite: bool
    alpha_report_ppb: int
    alpha_accept_infinite: bool
    alpha_accept_ppb: int
    delta_c_ns: int

    def encode(self) -> bytes:
        """Return the bytes of `reportingPluginConfig`; InvalidOcrConfig if a value does not fit its type."""
        try:
            return pb.MedianOffchainConfig(
                alpha_report_infinite=self.alpha_report_infinite,
                alpha_report_ppb=self.alpha_report_ppb,
                alpha_accept_infinite=self.alpha_accept_infinite,
                alpha_accept_ppb=self.alpha_accept_ppb,
                delta_c_nanoseconds=self.delta_c_ns,
            ).SerializeToString(deterministic=True)
        except (ValueError, TypeError, OverflowError) as error:
            raise InvalidOcrConfig("reportingPluginConfig", str(error), "values that fit their types") from error

    @classmethod
    def decode(cls, encoded: bytes) -> "MedianConfig":
        """Return what the bytes say; checks the form only; InvalidOcrConfig if they are no such message."""
        try:
            found = pb.MedianOffchainConfig.FromString(encoded)
        except DecodeError as error:
            allowed = "the configuration of the median plugin, as protobuf"
            raise InvalidOcrConfig("reportingPluginConfig", str(error), allowed) from error
        return cls(
            found.alpha_report_infinite,
            found.alpha_report_ppb,
            found.alpha_accept_infinite,
            found.alpha_accept_ppb,
            found.delta_c_nanoseconds,
        )


@dataclass(frozen=True, slots=True)
class AnswerRange:
    """Hold the least and the highest answer that a contract takes; each fits 192 bits with a sign."""

    least: int
    highest: int

    def encode(self) -> bytes:
        """Return the `onchainConfig` of `setConfig`: a byte of version, then both answers with 24 bytes each."""
        words = []
        for name, answer in (("minAnswer", self.least), ("maxAnswer", self.highest)):
            try:
                words.append(answer.to_bytes(_ANSWER_BYTES, "big", signed=True))
            except OverflowError as error:
                raise InvalidOcrConfig(name, answer, "-2^191 to 2^191 - 1") from error
        return bytes((_RANGE_VERSION,)) + b"".join(words)

    @classmethod
    def decode(cls, encoded: bytes) -> "AnswerRange":
        """Return what the bytes say; InvalidOcrConfig if the plugin would refuse them."""
        if len(encoded) != _RANGE_BYTES or encoded[0] != _RANGE_VERSION:
            found = f"{len(encoded)} bytes, {encoded[:1].hex() or 'nothing'} first"
            raise InvalidOcrConfig("onchainConfig", found, f"{_RANGE_BYTES} bytes, 0{_RANGE_VERSION} first")
        words = (encoded[1 : 1 + _ANSWER_BYTES], encoded[1 + _ANSWER_BYTES :])
        least, highest = (int.from_bytes(word, "big", signed=True) for word in words)
        if least > highest:
            raise InvalidOcrConfig("onchainConfig", f"{least} to {highest}", "minAnswer not above maxAnswer")
        return cls(least, highest)
