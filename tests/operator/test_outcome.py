"""What passes came to, together."""

from meshkit.errors import Unavailable
from services.operator.outcome import Outcome, joined


def test_changes_and_errors_are_all_there() -> None:
    """Changes stay in order, errors under their parts; of one part's the last counts."""
    first, second, other = Unavailable("first"), Unavailable("second"), Unavailable("other")
    outcome = joined(
        [Outcome(("a", "b"), {"chain": first}), Outcome(), Outcome(("c",), {"faucet": other, "chain": second})]
    )

    assert ("a", "b", "c") == outcome.changes
    assert {"chain": second, "faucet": other} == dict(outcome.errors)


def test_nothing() -> None:
    """No passes change nothing."""
    assert Outcome() == joined([])
