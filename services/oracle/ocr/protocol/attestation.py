"""What makes observations and signatures acceptable: the checks before anything is signed or believed."""

from collections.abc import Sequence
from itertools import pairwise

from chainlink.ocr.report_context import context_tag
from services.oracle.ocr.config import SharedConfig
from services.oracle.ocr.crypto import recover_signer, verify_observation
from services.oracle.ocr.protocol.messages import AttestedReportMany, AttributedSignedObservation, SignedObservation
from services.oracle.ocr.report import AttributedObservation, encode_report


class Attestation:
    """
    Check what oracles of one configuration say about one round.

    Attributes:
        signers: The oracles that signed the report which was found attested last, ascending.
    """

    def __init__(self, config: SharedConfig, epoch: int, round_number: int) -> None:
        self._config = config
        self._tag = context_tag(config.config_digest, epoch, round_number)
        self._believed: AttestedReportMany | None = None
        self._indices = {oracle.signing_address: index for index, oracle in enumerate(config.public.oracles)}
        self.signers: tuple[int, ...] = ()

    @property
    def tag(self) -> bytes:
        """Return the round's 32-byte context tag."""
        return self._tag

    def report_bytes(self, observations: Sequence[AttributedObservation]) -> bytes:
        """Return the report of these observations in this round."""
        return encode_report(self._tag, observations)

    def is_observation_of(self, observer: int, signed: SignedObservation) -> bool:
        """Tell whether an observation carries the signature of that oracle for this round."""
        key = self._config.public.oracles[observer].offchain_public_key
        return verify_observation(key, self._tag, signed.value, signed.signature)

    def flaw_of(self, observations: Sequence[AttributedSignedObservation]) -> str:
        """Say what forbids to sign the report of these observations; the empty text when nothing does."""
        if len(observations) <= 2 * self._config.f:
            return f"{len(observations)} observations, more than {2 * self._config.f} are needed"
        observers = [o.observer for o in observations]
        if not all(observer < self._config.n for observer in observers):
            return f"an observer index above {self._config.n - 1}"
        if len(set(observers)) != len(observers):
            return "an observer twice"
        if any(a.signed.value > b.signed.value for a, b in pairwise(observations)):
            return "values out of order"
        for observation in observations:
            if not self.is_observation_of(observation.observer, observation.signed):
                return f"a wrong signature of observer {observation.observer}"
        return ""

    def is_report_of(self, oracle: int, observations: Sequence[AttributedObservation], signature: bytes) -> bool:
        """Tell whether a signature over the report of these observations is that oracle's."""
        signer = recover_signer(self.report_bytes(observations), signature)
        return signer == self._config.public.oracles[oracle].signing_address

    def is_attested(self, report: AttestedReportMany) -> bool:
        """Tell whether more than f distinct oracles signed the report, and nobody else did."""
        # All echoes of a round repeat the same report, and recovering signers is the dearest thing an oracle does.
        if report == self._believed:
            return True
        if not self._config.f < len(report.signatures) <= self._config.n:
            return False
        encoded = self.report_bytes(report.observations)
        signers: set[str] = set()
        for signature in report.signatures:
            signer = recover_signer(encoded, signature)
            if signer is None or signer in signers or signer not in self._indices:
                return False
            signers.add(signer)
        self._believed = report
        self.signers = tuple(sorted(self._indices[signer] for signer in signers))
        return True
