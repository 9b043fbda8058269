"""What an OCR2 configuration must keep to: who breaks a rule here is refused by the contract or by every oracle."""

from collections.abc import Iterator, Sequence

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr.shared_secret import SharedSecretEncryptions
from chainlink.ocr2.contract_config import Ocr2Config
from chainlink.ocr2.offchain_config import OFFCHAIN_CONFIG_VERSION, Ocr2OffchainConfig
from chainlink.units import NS_PER_MS

MAX_ORACLES = 31
# What is sent more often than this is taken for an attack on the oracle's own resources.
LEAST_INTERVAL_NS = 200 * NS_PER_MS
_MAX_STAGES = 999
_MAX_INT64 = (1 << 63) - 1
_MAX_UINT64 = (1 << 64) - 1


def check(config: Ocr2Config, sealed: SharedSecretEncryptions | None = None) -> None:
    """
    Check a configuration, and that the secret, if it is given, is encrypted for each oracle.

    Raises:
        InvalidOcrConfig: naming the first field with a value that is refused.
    """
    for flaw in flaws(config, sealed):
        raise flaw


def flaws(config: Ocr2Config, sealed: SharedSecretEncryptions | None = None) -> Iterator[InvalidOcrConfig]:
    """Yield everything for which a configuration is refused; the first is what `check` raises."""
    found, allowed = config.version, str(OFFCHAIN_CONFIG_VERSION)
    yield from _unless(found == OFFCHAIN_CONFIG_VERSION, "offchainConfigVersion", found, allowed)
    yield from _flaws_of_oracles(config, sealed)
    yield from _flaws_of_durations(config.offchain)
    yield from _flaws_of_schedule(config.offchain)


def _flaws_of_oracles(config: Ocr2Config, sealed: SharedSecretEncryptions | None) -> Iterator[InvalidOcrConfig]:
    n, offchain = config.n, config.offchain
    lists: dict[str, Sequence[object]] = {
        "signers": config.signers,
        "transmitters": config.transmitters,
        "offchainPublicKeys": offchain.offchain_public_keys,
        "peerIDs": offchain.peer_ids,
    }
    # Unlike in OCR1 an address may be a signer's and a transmitter's.
    for name, values in lists.items():
        yield from _unless(len(values) == n, name, f"{len(values)} entries", f"{n}, as many as signers")
        seen: set[object] = set()
        for index, value in enumerate(values):
            shown = value.hex() if isinstance(value, bytes) else value
            yield from _unless(value not in seen, f"{name}[{index}]", shown, "each once")
            seen.add(value)
    if sealed is not None:
        count = len(sealed.encryptions)
        yield from _unless(count == n, "encryptions", f"{count} entries", f"{n}, as many as signers")
    yield from _unless(n <= MAX_ORACLES, "signers", f"{n} entries", f"at most {MAX_ORACLES}")
    # Nodes bear f = 0 as well, but the contract does not.
    allowed = f"at least 1 and less than a third of the {n} oracles"
    yield from _unless(config.f > 0 and 3 * config.f < n, "f", config.f, allowed)
    answers = config.answers
    range_text = f"{answers.least} to {answers.highest}"
    yield from _unless(answers.least <= answers.highest, "onchainConfig", range_text, "minAnswer not above maxAnswer")


def _flaws_of_durations(offchain: Ocr2OffchainConfig) -> Iterator[InvalidOcrConfig]:
    rounds_ns = {
        "maxDurationQuery": offchain.max_duration_query_ns,
        "maxDurationObservation": offchain.max_duration_observation_ns,
        "maxDurationReport": offchain.max_duration_report_ns,
    }
    durations = {
        "deltaProgress": offchain.delta_progress_ns,
        "deltaResend": offchain.delta_resend_ns,
        "deltaRound": offchain.delta_round_ns,
        "deltaGrace": offchain.delta_grace_ns,
        "deltaStage": offchain.delta_stage_ns,
        **rounds_ns,
        "maxDurationShouldAcceptFinalizedReport": offchain.max_duration_should_accept_ns,
        "maxDurationShouldTransmitAcceptedReport": offchain.max_duration_should_transmit_ns,
        "maxDurationInitialization": offchain.max_duration_initialization_ns or 0,
        "deltaC": offchain.median.delta_c_ns,
    }
    for name, duration_ns in durations.items():
        yield from _unless(0 <= duration_ns <= _MAX_INT64, name, f"{duration_ns} ns", "0 to 2^63 - 1 ns")
    progress_ns = offchain.delta_progress_ns
    allowed = f"less than deltaProgress, which is {progress_ns} ns"
    yield from _unless(offchain.delta_round_ns < progress_ns, "deltaRound", f"{offchain.delta_round_ns} ns", allowed)
    sum_ns = sum(rounds_ns.values())
    yield from _unless(sum_ns < progress_ns, " + ".join(rounds_ns), f"{sum_ns} ns", allowed)
    for name in ("deltaProgress", "deltaResend"):
        found, least = f"{durations[name]} ns", f"at least {LEAST_INTERVAL_NS} ns"
        yield from _unless(durations[name] >= LEAST_INTERVAL_NS, name, found, least)


def _flaws_of_schedule(offchain: Ocr2OffchainConfig) -> Iterator[InvalidOcrConfig]:
    median = offchain.median
    for name, alpha_ppb in (("alphaReportPPB", median.alpha_report_ppb), ("alphaAcceptPPB", median.alpha_accept_ppb)):
        yield from _unless(0 <= alpha_ppb <= _MAX_UINT64, name, alpha_ppb, "0 to 2^64 - 1")
    yield from _unless(0 < offchain.r_max < 255, "rMax", offchain.r_max, "1 to 254")
    yield from _unless(len(offchain.s) <= _MAX_STAGES, "s", f"{len(offchain.s)} stages", f"at most {_MAX_STAGES}")
    for index, size in enumerate(offchain.s):
        yield from _unless(0 <= size <= MAX_ORACLES, f"s[{index}]", size, f"0 to {MAX_ORACLES}")


def _unless(holds: bool, field: str, found: object, allowed: str) -> Iterator[InvalidOcrConfig]:
    if not holds:
        yield InvalidOcrConfig(field, found, allowed)
