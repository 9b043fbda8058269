"""The one loop that keeps prices ahead of their expiry."""

from collections.abc import Callable

from meshkit.clock import Clock

# New keys are never due earlier than this after they are set, so the loop need not be woken for them.
LONGEST_SLEEP_S = 0.1
SHORTEST_SLEEP_S = 0.005


async def run(step: Callable[[], float | None], clock: Clock) -> None:
    """
    Call `step` whenever something is due, for ever.

    `step` does what is due now and returns the monotonic moment at which something is due next, or None.
    """
    while True:
        due_at = step()
        wait_s = LONGEST_SLEEP_S if due_at is None else due_at - clock.monotonic()
        await clock.sleep(min(max(wait_s, SHORTEST_SLEEP_S), LONGEST_SLEEP_S))
