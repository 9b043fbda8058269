"""How far a feed's set-up is."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.operator.feed_phase import FeedPhase, phase


@given(st.booleans(), st.booleans(), st.integers(0, 5))
@settings(deadline=None)
def test_phases_follow_each_other(deployed: bool, configured: bool, missing: int) -> None:
    """A feed runs only with contract, configuration and all jobs, and is pending without a contract."""
    found = phase(deployed=deployed, configured=configured, jobs_missing=missing)

    assert (found is FeedPhase.RUNNING) == (deployed and configured and not missing)
    assert (found is FeedPhase.PENDING) == (not deployed)
