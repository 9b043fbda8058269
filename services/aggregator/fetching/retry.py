"""Which calls of a source are repeated within a fetch, and after which pause."""

from collections.abc import Callable

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from meshkit.clock import Clock
from services.aggregator.prices.errors import ProviderFault, SourceTimeout

FIRST_BACKOFF_S = 0.1
LONGEST_BACKOFF_S = 2.0


def repeated(
    clock: Clock, *, deadline: float, may_repeat: Callable[[int], bool], on_repeat: Callable[[], None]
) -> AsyncRetrying:
    """
    Return what calls a source again after a fault or silence, with random pauses that grow to two seconds.

    No pause ends at or after the monotonic `deadline`. `may_repeat` tells whether there may be a further call after so
    many, and `on_repeat` is called before each.
    """

    def is_enough(state: RetryCallState) -> bool:
        return not may_repeat(state.attempt_number) or clock.monotonic() + state.upcoming_sleep >= deadline

    return AsyncRetrying(
        retry=retry_if_exception_type((ProviderFault, SourceTimeout)),
        wait=wait_random_exponential(multiplier=FIRST_BACKOFF_S, max=LONGEST_BACKOFF_S),
        stop=is_enough,
        sleep=clock.sleep,
        before_sleep=lambda _state: on_repeat(),
        reraise=True,
    )
