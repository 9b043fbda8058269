"""What the protocol goes by for one feed: its own settings, else those of all feeds."""

from dataclasses import dataclass, fields

from meshkit.configuration.mesh import FeedSettings, Ocr
from meshkit.feeds import Feed

# By the names of `ocr`, where a feed's setting has another one.
_OWN = {"delta_c_ms": "heartbeat_ms", "alpha_ppb": "deviation_ppb"}


@dataclass(frozen=True, slots=True)
class FeedTimings:
    """Hold what the protocol goes by for one feed; the names and units are those of `mesh.ocr`."""

    delta_progress_ms: int
    delta_resend_ms: int
    delta_round_ms: int
    delta_grace_ms: int
    delta_c_ms: int
    alpha_ppb: int
    delta_stage_ms: int
    r_max: int


def timings(ocr: Ocr, settings: FeedSettings | None, known: Feed | None) -> FeedTimings:
    """Return a feed's timings: its own, else those that are given for all, else the feed's usual ones."""
    usual = {field.name: getattr(ocr, field.name) for field in fields(FeedTimings)}
    if known is not None and "delta_c_ms" not in ocr.model_fields_set:
        usual["delta_c_ms"] = known.heartbeat_ms
    if known is not None and "alpha_ppb" not in ocr.model_fields_set:
        usual["alpha_ppb"] = known.deviation_ppb
    return FeedTimings(**{name: _given(settings, name, otherwise) for name, otherwise in usual.items()})


def setting_of(name: str) -> str:
    """Return the key of `feedSettings` that a timing is set by, `heartbeatMs` for `delta_c_ms`."""
    return str(FeedSettings.model_fields[_OWN.get(name, name)].alias)


def is_set(settings: FeedSettings | None, name: str) -> bool:
    """Tell whether a feed has a timing of its own."""
    return settings is not None and getattr(settings, _OWN.get(name, name)) is not None


def _given(settings: FeedSettings | None, name: str, otherwise: int) -> int:
    found: int | None = None if settings is None else getattr(settings, _OWN.get(name, name))
    return otherwise if found is None else found
