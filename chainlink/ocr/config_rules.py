"""What a configuration must keep to: who breaks a rule here is refused by the contract or by every oracle."""

from collections.abc import Iterator, Sequence

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr.contract_config import OcrConfig
from chainlink.ocr.offchain_config import ENCODED_VERSION, OffchainConfig
from chainlink.ocr.shared_secret import SharedSecretEncryptions

MAX_ORACLES = 31
_MAX_STAGES = 999
_MAX_INT64 = (1 << 63) - 1
_MAX_UINT64 = (1 << 64) - 1


def check(config: OcrConfig, sealed: SharedSecretEncryptions | None = None) -> None:
    """
    Check a configuration, and that the secret, if it is given, is encrypted for each oracle.

    Raises:
        InvalidOcrConfig: naming the first field with a value that is refused.
    """
    for flaw in flaws(config, sealed):
        raise flaw


def flaws(config: OcrConfig, sealed: SharedSecretEncryptions | None = None) -> Iterator[InvalidOcrConfig]:
    """Yield everything for which a configuration is refused; the first is what `check` raises."""
    yield from _unless(config.version == ENCODED_VERSION, "encodedConfigVersion", config.version, str(ENCODED_VERSION))
    yield from _flaws_of_oracles(config, sealed)
    yield from _flaws_of_timings(config.offchain)
    yield from _flaws_of_schedule(config.offchain)


def _flaws_of_oracles(config: OcrConfig, sealed: SharedSecretEncryptions | None) -> Iterator[InvalidOcrConfig]:
    n, offchain = config.n, config.offchain
    lists: dict[str, Sequence[object]] = {
        "transmitters": config.transmitters,
        "offchainPublicKeys": offchain.offchain_public_keys,
        "peerIDs": offchain.peer_ids,
    }
    if sealed is not None:
        lists["encryptions"] = sealed.encryptions
    for name, values in lists.items():
        yield from _unless(len(values) == n, name, f"{len(values)} entries", f"{n}, as many as signers")
    yield from _unless(n <= MAX_ORACLES, "signers", f"{n} entries", f"at most {MAX_ORACLES}")
    # Nodes bear f = 0 as well, but the contract does not, so no such configuration can be in force.
    yield from _unless(
        config.f > 0 and 3 * config.f < n, "f", config.f, f"at least 1 and less than a third of the {n} oracles"
    )
    # The contract keeps signers and transmitters in one table.
    seen: set[str] = set()
    for name, addresses in (("signers", config.signers), ("transmitters", config.transmitters)):
        for index, address in enumerate(addresses):
            yield from _unless(address not in seen, f"{name}[{index}]", address, "each address once, over both lists")
            seen.add(address)


def _flaws_of_timings(offchain: OffchainConfig) -> Iterator[InvalidOcrConfig]:
    durations = {
        "deltaC": offchain.delta_c_ns,
        "deltaStage": offchain.delta_stage_ns,
        "deltaRound": offchain.delta_round_ns,
        "deltaProgress": offchain.delta_progress_ns,
        "deltaResend": offchain.delta_resend_ns,
        "deltaGrace": offchain.delta_grace_ns,
    }
    for name, duration_ns in durations.items():
        yield from _unless(0 <= duration_ns <= _MAX_INT64, name, f"{duration_ns} ns", "0 to 2^63 - 1 ns")
    for low, high in (("deltaGrace", "deltaRound"), ("deltaRound", "deltaProgress")):
        allowed = f"less than {high}, which is {durations[high]} ns"
        yield from _unless(durations[low] < durations[high], low, f"{durations[low]} ns", allowed)


def _flaws_of_schedule(offchain: OffchainConfig) -> Iterator[InvalidOcrConfig]:
    yield from _unless(0 <= offchain.alpha_ppb <= _MAX_UINT64, "alphaPPB", offchain.alpha_ppb, "0 to 2^64 - 1")
    yield from _unless(0 < offchain.r_max < 255, "rMax", offchain.r_max, "1 to 254")
    yield from _unless(len(offchain.s) <= _MAX_STAGES, "s", f"{len(offchain.s)} stages", f"at most {_MAX_STAGES}")
    for index, size in enumerate(offchain.s):
        yield from _unless(0 <= size <= MAX_ORACLES, f"s[{index}]", size, f"0 to {MAX_ORACLES}")


def _unless(holds: bool, field: str, found: object, allowed: str) -> Iterator[InvalidOcrConfig]:
    if not holds:
        yield InvalidOcrConfig(field, found, allowed)
