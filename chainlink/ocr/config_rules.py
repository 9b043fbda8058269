"""What a configuration must keep to: who breaks a rule here is refused by the contract or by every oracle."""

from collections.abc import Sequence

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
    _require(config.version == ENCODED_VERSION, "encodedConfigVersion", config.version, str(ENCODED_VERSION))
    _check_oracles(config, sealed)
    _check_timings(config.offchain)
    _check_schedule(config.offchain)


def _check_oracles(config: OcrConfig, sealed: SharedSecretEncryptions | None) -> None:
    n, offchain = config.n, config.offchain
    lists: dict[str, Sequence[object]] = {
        "transmitters": config.transmitters,
        "offchainPublicKeys": offchain.offchain_public_keys,
        "peerIDs": offchain.peer_ids,
    }
    if sealed is not None:
        lists["encryptions"] = sealed.encryptions
    for name, values in lists.items():
        _require(len(values) == n, name, f"{len(values)} entries", f"{n}, as many as signers")
    _require(n <= MAX_ORACLES, "signers", f"{n} entries", f"at most {MAX_ORACLES}")
    # Nodes bear f = 0 as well, but the contract does not, so no such configuration can be in force.
    _require(config.f > 0 and 3 * config.f < n, "f", config.f, f"at least 1 and less than a third of the {n} oracles")
    # The contract keeps signers and transmitters in one table.
    seen: set[str] = set()
    for name, addresses in (("signers", config.signers), ("transmitters", config.transmitters)):
        for index, address in enumerate(addresses):
            _require(address not in seen, f"{name}[{index}]", address, "each address once, over both lists")
            seen.add(address)


def _check_timings(offchain: OffchainConfig) -> None:
    durations = {
        "deltaC": offchain.delta_c_ns,
        "deltaStage": offchain.delta_stage_ns,
        "deltaRound": offchain.delta_round_ns,
        "deltaProgress": offchain.delta_progress_ns,
        "deltaResend": offchain.delta_resend_ns,
        "deltaGrace": offchain.delta_grace_ns,
    }
    for name, duration_ns in durations.items():
        _require(0 <= duration_ns <= _MAX_INT64, name, f"{duration_ns} ns", "0 to 2^63 - 1 ns")
    for low, high in (("deltaGrace", "deltaRound"), ("deltaRound", "deltaProgress")):
        allowed = f"less than {high}, which is {durations[high]} ns"
        _require(durations[low] < durations[high], low, f"{durations[low]} ns", allowed)


def _check_schedule(offchain: OffchainConfig) -> None:
    _require(0 <= offchain.alpha_ppb <= _MAX_UINT64, "alphaPPB", offchain.alpha_ppb, "0 to 2^64 - 1")
    _require(0 < offchain.r_max < 255, "rMax", offchain.r_max, "1 to 254")
    _require(len(offchain.s) <= _MAX_STAGES, "s", f"{len(offchain.s)} stages", f"at most {_MAX_STAGES}")
    for index, size in enumerate(offchain.s):
        _require(0 <= size <= MAX_ORACLES, f"s[{index}]", size, f"0 to {MAX_ORACLES}")


def _require(holds: bool, field: str, found: object, allowed: str) -> None:
    if not holds:
        raise InvalidOcrConfig(field, found, allowed)
