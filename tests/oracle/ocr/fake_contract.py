"""An aggregator contract in memory, with the checks of the real one that concern the protocol."""

from collections.abc import Sequence
from itertools import pairwise

from chainlink.contract.aggregator import RoundRequested, TransmissionDetails
from chainlink.ocr.report_context import context_tag
from services.oracle.ocr.config import PublicConfig
from services.oracle.ocr.crypto import recover_signer
from services.oracle.ocr.report import decode_report, median


class Reverted(Exception):
    """The contract refuses a transmission."""


class FakeContract:
    """Hold the state of one feed; `accepted` lists (epoch, round, transmitter index, observers, signers)."""

    def __init__(self, public: PublicConfig) -> None:
        self.public = public
        self.details = TransmissionDetails(public.config_digest, 0, 0, 0, 0)
        self.requested: RoundRequested | None = None
        self.accepted: list[tuple[int, int, int, tuple[int, ...], frozenset[int]]] = []
        self.reverted: list[str] = []

    def transmit(
        self, sender: int, report: bytes, rs: Sequence[bytes], ss: Sequence[bytes], raw_vs: bytes, now_ms: int
    ) -> None:
        """Check a report as the contract does, and take its median."""
        try:
            self._transmit(sender, report, rs, ss, raw_vs, now_ms)
        except Reverted as error:
            self.reverted.append(str(error))
            raise

    def _transmit(
        self, sender: int, report: bytes, rs: Sequence[bytes], ss: Sequence[bytes], raw_vs: bytes, now_ms: int
    ) -> None:
        tag, observations = decode_report(report)
        epoch, round_number = int.from_bytes(tag[27:31], "big"), tag[31]
        _require(tag == context_tag(self.public.config_digest, epoch, round_number), "configDigest mismatch")
        _require((epoch, round_number) > (self.details.epoch, self.details.round), "stale report")
        _require(len(rs) > self.public.f, "not enough signatures")
        _require(len(observations) > 2 * self.public.f, "too few values to trust median")
        _require(len({o.observer for o in observations}) == len(observations), "observer index repeated")
        addresses = [oracle.signing_address for oracle in self.public.oracles]
        signers = [
            recover_signer(report, r + s + raw_vs[i : i + 1]) for i, (r, s) in enumerate(zip(rs, ss, strict=True))
        ]
        known = [addresses.index(signer) for signer in signers if signer in addresses]
        _require(len(known) == len(signers), "address not authorized to sign")
        _require(len(set(known)) == len(known), "non-unique signature")
        _require(all(a.value <= b.value for a, b in pairwise(observations)), "observations not sorted")
        self.details = TransmissionDetails(
            self.public.config_digest, epoch, round_number, median(observations), now_ms // 1000
        )
        self.accepted.append((epoch, round_number, sender, tuple(o.observer for o in observations), frozenset(known)))


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise Reverted(message)
