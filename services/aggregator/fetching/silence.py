"""How long a source is left alone that limits or refuses us: longer each time in a row, until it answers again."""

from meshkit.errors import MeshError
from services.aggregator.prices.errors import AccessRefused, SourceRateLimited

FIRST_LIMIT_S = 1.0
LONGEST_LIMIT_S = 60.0
# A refusal stands until a person does something about it.
FIRST_REFUSAL_S = 60.0
LONGEST_REFUSAL_S = 900.0


class Silence:
    """Hold until when one source is not called, and why; moments are monotonic seconds."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._refusal: AccessRefused | None = None
        self._row = 0
        self.until = float("-inf")

    def limited(self, now: float, error: SourceRateLimited) -> None:
        """Begin after a limit answer: for as long as it asks, or longer if it has asked too little before."""
        row = self._count(None)
        least_s = min(FIRST_LIMIT_S * 2.0 ** (row - 2), LONGEST_LIMIT_S) if row > 1 else 0.0
        self.until = now + max(error.retry_after_ms / 1000, least_s)

    def refused(self, now: float, error: AccessRefused) -> None:
        """Begin after a refusal of our key or our address."""
        row = self._count(error)
        self.until = now + min(FIRST_REFUSAL_S * 2.0 ** (row - 1), LONGEST_REFUSAL_S)

    def ended(self) -> None:
        """Forget what was before: the source answered."""
        self._row = 0

    def error(self, now: float) -> MeshError | None:
        """Return None if the source may be called now, else why not."""
        left_s = self.until - now
        if left_s <= 0:
            return None
        return self._refusal or SourceRateLimited(self._source, int(left_s * 1000) + 1)

    def _count(self, refusal: AccessRefused | None) -> int:
        is_same = (refusal is None) == (self._refusal is None)
        self._refusal = refusal
        self._row = min(self._row + 1, 32) if is_same else 1
        return self._row
