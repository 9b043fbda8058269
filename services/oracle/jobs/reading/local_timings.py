"""The timings of an OCR job: its own, else the configuration's; and libocr's bounds for them."""

from chainlink.jobs import JobSpec
from chainlink.units import NS_PER_MS, NS_PER_S, format_duration_ns
from services.oracle.chain.settings import EvmSettings
from services.oracle.errors import JobInvalid
from services.oracle.jobs.specification import Timings
from services.oracle.settings import Config

_SUBSCRIBE_NS = 120 * NS_PER_S
_MOST_CONFIRMATIONS = 100
# By libocr's names, in its order.
_BOUNDS_NS = {
    "blockchain timeout": (NS_PER_S, 20 * NS_PER_S),
    "contract config tracker poll interval": (15 * NS_PER_S, 120 * NS_PER_S),
    "contract config tracker subscribe interval": (60 * NS_PER_S, 300 * NS_PER_S),
    "contract transmitter transmit timeout": (NS_PER_S, 60 * NS_PER_S),
    "database timeout": (100 * NS_PER_MS, 10 * NS_PER_S),
    "data source timeout": (NS_PER_S, 20 * NS_PER_S),
    "data source grace period": (10 * NS_PER_MS, 2 * NS_PER_S),
}


def observation_timeout_ns(spec: JobSpec, config: Config) -> int:
    """Return how long an observation may take."""
    return spec.observation_timeout_ns or _ns(config.ocr.observation_timeout_s)


def timings(spec: JobSpec, config: Config, chain: EvmSettings) -> Timings:
    """
    Return the timings in force; JobInvalid with all that are out of bounds, in libocr's words.

    Where a job may write 0 the configuration's value stands for it, as in the real node; of those that it may leave out
    a written 0 is 0, and out of bounds.
    """
    observation_ns = observation_timeout_ns(spec, config)
    grace_ns = _given(spec.observation_grace_period_ns, chain.ocr.observation_grace_period_s)
    poll_ns = spec.config_poll_interval_ns or _ns(config.ocr.contract_poll_interval_s)
    found_ns = {
        "blockchain timeout": spec.blockchain_timeout_ns or _ns(config.ocr.blockchain_timeout_s),
        "contract config tracker poll interval": poll_ns,
        "contract config tracker subscribe interval": spec.config_subscribe_interval_ns or _SUBSCRIBE_NS,
        "contract transmitter transmit timeout": _given(
            spec.transmit_timeout_ns, chain.ocr.contract_transmitter_transmit_timeout_s
        ),
        "database timeout": _given(spec.database_timeout_ns, chain.ocr.database_timeout_s),
        "data source timeout": observation_ns,
        "data source grace period": grace_ns,
    }
    confirmations = spec.config_confirmations or chain.contract_confirmations
    faults = _faults(found_ns, confirmations)
    if faults:
        raise JobInvalid("offchainreporting.SanityCheckLocalConfig failed: " + "\n".join(faults))
    poll_s = poll_ns / NS_PER_S
    return Timings(
        observation_s=observation_ns / NS_PER_S,
        observation_grace_s=grace_ns / NS_PER_S,
        blockchain_s=found_ns["blockchain timeout"] / NS_PER_S,
        database_s=found_ns["database timeout"] / NS_PER_S,
        transmit_s=found_ns["contract transmitter transmit timeout"] / NS_PER_S,
        # On a local chain nothing is gained by waiting, whatever the job was written for.
        config_poll_s=min(poll_s, config.config_poll_interval_s(chain)),
        first_config_poll_s=min(poll_s, config.first_config_poll_interval_s(chain)),
        config_subscribe_s=found_ns["contract config tracker subscribe interval"] / NS_PER_S,
        config_confirmations=confirmations,
    )


def _faults(found_ns: dict[str, int], confirmations: int) -> list[str]:
    faults = []
    for name, (least_ns, most_ns) in _BOUNDS_NS.items():
        if not least_ns <= found_ns[name] <= most_ns:
            bounds = f"between {format_duration_ns(least_ns)} and {format_duration_ns(most_ns)}"
            faults.append(f"{name} must be {bounds}, but is currently {format_duration_ns(found_ns[name])}")
    if found_ns["data source timeout"] < found_ns["data source grace period"]:
        timeout = format_duration_ns(found_ns["data source timeout"])
        # Both are the timeout, as libocr has it.
        faults.append(f"data source timeout {timeout} must be greater than data source grace period {timeout}")
    if not 1 <= confirmations <= _MOST_CONFIRMATIONS:
        name = "contract config block-depth confirmation threshold"
        faults.append(f"{name} must be between 1 and {_MOST_CONFIRMATIONS}, but is currently {confirmations}")
    return faults


def _given(duration_ns: int | None, default_s: float) -> int:
    return _ns(default_s) if duration_ns is None else duration_ns


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)
