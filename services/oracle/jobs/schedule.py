"""When a cron job runs: six fields from seconds to days of the week in a time zone, or `@every 10s`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from chainlink.units import NS_PER_S
from services.oracle import go_texts

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DESCRIPTORS = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@midnight": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
}
_EVERY = "@every "
_ZONES = ("CRON_TZ=", "TZ=")
_LEAST_FIELDS, _FIELDS = 5, 6
# No date comes again later than the next leap year's last of February, eight years ahead at most.
_LONGEST = timedelta(days=8 * 366)


@dataclass(frozen=True, slots=True)
class _Range:
    """Hold what a field may be."""

    least: int
    most: int
    names: tuple[str, ...] = ()
    first_name: int = 0

    def number(self, text: str) -> int:
        """Return the number of a text or a name; ValueError if it is neither."""
        if text.lower() in self.names:
            return self.names.index(text.lower()) + self.first_name
        try:
            number = go_texts.integer(text, 64, "Atoi")
        except ValueError as error:
            raise ValueError(f"failed to parse int from {text}: {error}") from error
        if number < 0:
            raise ValueError(f"negative number ({number}) not allowed: {text}")
        return number


_RANGES = (
    _Range(0, 59),
    _Range(0, 59),
    _Range(0, 23),
    _Range(1, 31),
    _Range(1, 12, _MONTHS, 1),
    _Range(0, 6, _DAYS),
)
_DAY_OF_MONTH, _MONTH, _DAY_OF_WEEK = 3, 4, 5


@dataclass(frozen=True, slots=True)
class Schedule:
    """
    Hold the times of a job.

    Attributes:
        text: As it was written.
        every_s: Seconds between runs; None for a schedule of fields.
        fields: What each field allows.
        any_day_of_month, any_day_of_week: Whether the field is a star: if neither is, one of both has to fit.
        fault: Why the job cannot be started, as a real node says it; it takes such a text all the same.
    """

    text: str
    zone: tzinfo = UTC
    every_s: float | None = None
    fields: tuple[frozenset[int], ...] = ()
    any_day_of_month: bool = True
    any_day_of_week: bool = True
    fault: str = ""

    @classmethod
    def parse(cls, text: str) -> "Schedule":
        """Read a schedule; ValueError in the words of a real node if it is none."""
        if not text.startswith(("CRON_TZ=", _EVERY)):
            raise ValueError(
                f"while validating cron schedule '{text}': cron schedule must specify a time zone using CRON_TZ, "
                "e.g. 'CRON_TZ=UTC 5 * * * *', or use the @every syntax, e.g. '@every 1h30m'"
            )
        try:
            return cls._read(text)
        except ValueError as error:
            message = f"while validating cron schedule '{text}': invalid cron schedule '{text}': {error}"
            raise ValueError(message) from error

    @classmethod
    def _read(cls, text: str) -> "Schedule":
        zone: tzinfo = UTC
        rest = text
        if text.startswith(_ZONES):
            name, _, rest = text.partition("=")[2].partition(" ")
            zone, rest = _zone(name), rest.strip()
        if rest.startswith(_EVERY):
            try:
                duration_ns = go_texts.duration_ns(rest[len(_EVERY) :])
            except ValueError as error:
                raise ValueError(f"failed to parse duration {rest}: {error}") from error
            # As the node does: whole seconds, at least one.
            return cls(text, zone, every_s=float(max(1, duration_ns // NS_PER_S)))
        if rest.startswith("@") and rest not in _DESCRIPTORS:
            raise ValueError(f"unrecognized descriptor: {rest}")
        words = _DESCRIPTORS.get(rest, rest).split()
        if not _LEAST_FIELDS <= len(words) <= _FIELDS:
            count = f"expected {_LEAST_FIELDS} to {_FIELDS} fields, found {len(words)}"
            raise ValueError(f"{count}: [{' '.join(words)}]")
        fault = ""
        if len(words) == _LEAST_FIELDS:
            fault = f"expected exactly {_FIELDS} fields, found {_LEAST_FIELDS}: [{' '.join(words)}]"
            words = ["0", *words]
        fields = tuple(_field(word, allowed) for word, allowed in zip(words, _RANGES, strict=True))
        stars = [any(part[:1] in ("*", "?") and "/" not in part for part in word.split(",")) for word in words]
        return cls(text, zone, None, fields, stars[_DAY_OF_MONTH], stars[_DAY_OF_WEEK], fault)

    def after(self, now: datetime) -> datetime | None:
        """Return the first time behind a moment; None if there is none within eight years."""
        if self.every_s is not None:
            return now.replace(microsecond=0) + timedelta(seconds=self.every_s)
        local = now.astimezone(self.zone).replace(microsecond=0) + timedelta(seconds=1)
        last = local + _LONGEST
        while local <= last:
            later = self._step(local)
            if later is None:
                return local.astimezone(UTC)
            local = later
        return None

    def _step(self, time: datetime) -> datetime | None:
        """Return a later time to look at, or None if this one fits."""
        seconds, minutes, hours, _, months, _ = self.fields
        if time.month not in months:
            first = time.replace(day=1, hour=0, minute=0, second=0)
            return (first + timedelta(days=32)).replace(day=1)
        if not self._fits_day(time):
            return time.replace(hour=0, minute=0, second=0) + timedelta(days=1)
        if time.hour not in hours:
            return time.replace(minute=0, second=0) + timedelta(hours=1)
        if time.minute not in minutes:
            return time.replace(second=0) + timedelta(minutes=1)
        return None if time.second in seconds else time + timedelta(seconds=1)

    def _fits_day(self, time: datetime) -> bool:
        of_month = time.day in self.fields[_DAY_OF_MONTH]
        of_week = time.isoweekday() % 7 in self.fields[_DAY_OF_WEEK]
        return of_month and of_week if self.any_day_of_month or self.any_day_of_week else of_month or of_week


def _zone(name: str) -> tzinfo:
    if name in ("UTC", ""):
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(f"provided bad location {name}: unknown time zone {name}") from error


def _field(text: str, allowed: _Range) -> frozenset[int]:
    return frozenset(number for part in text.split(",") if part for number in _part(part, allowed))


def _part(text: str, allowed: _Range) -> Sequence[int]:
    bounds, *steps = text.split("/")
    ends = bounds.split("-")
    if ends[0] in ("*", "?"):
        start, end = allowed.least, allowed.most
    else:
        start = allowed.number(ends[0])
        if len(ends) > 2:
            raise ValueError(f"too many hyphens: {text}")
        end = allowed.number(ends[1]) if len(ends) == 2 else start
    step = 1
    if steps:
        if len(steps) > 1:
            raise ValueError(f"too many slashes: {text}")
        step = _Range(0, 0).number(steps[0])
        if len(ends) == 1:
            end = allowed.most
    if start < allowed.least:
        raise ValueError(f"beginning of range ({start}) below minimum ({allowed.least}): {text}")
    if end > allowed.most:
        raise ValueError(f"end of range ({end}) above maximum ({allowed.most}): {text}")
    if start > end:
        raise ValueError(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise ValueError(f"step of range should be a positive number: {text}")
    return range(start, end + 1, step)
