from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.fetching.circuit_breaker import FAILURES_TO_OPEN, FIRST_OPEN_S, CircuitBreaker, CircuitState
from services.aggregator.prices.errors import ProviderFault

DOWN = ProviderFault("kraken", "down")


def opened(now: float = 0.0) -> CircuitBreaker:
    """Return a circuit that has just been opened."""
    circuit = CircuitBreaker(5.0)
    for _ in range(FAILURES_TO_OPEN):
        circuit.failed(now, DOWN)
    return circuit


def test_it_opens_after_failures_in_a_row() -> None:
    """Four failures leave it closed, a success forgets them, five open it."""
    circuit = CircuitBreaker(5.0)
    for _ in range(2):
        for _ in range(FAILURES_TO_OPEN - 1):
            circuit.failed(0.0, DOWN)
        assert CircuitState.CLOSED is circuit.state(0.0)
        circuit.succeeded()

    assert CircuitState.OPEN is opened().state(0.0)
    assert DOWN is opened().refusal(0.0)


def test_one_call_tries_whether_the_source_is_back() -> None:
    """When its time is over, one call passes and no second one beside it; its success closes the circuit."""
    circuit = opened()

    assert CircuitState.HALF_OPEN is circuit.state(FIRST_OPEN_S)
    assert circuit.refusal(FIRST_OPEN_S) is None

    circuit.enter()

    assert DOWN is circuit.refusal(FIRST_OPEN_S)

    circuit.succeeded()
    circuit.leave()

    assert CircuitState.CLOSED is circuit.state(FIRST_OPEN_S)
    assert circuit.refusal(FIRST_OPEN_S) is None


def test_a_trial_without_an_answer_lets_the_next_one_try() -> None:
    """A trial that never reached the source does not keep the circuit from closing for ever."""
    circuit = opened()
    circuit.enter()
    circuit.leave()

    assert circuit.refusal(FIRST_OPEN_S) is None


@given(st.integers(1, 40))
def test_the_open_time_doubles_up_to_its_bound(trials: int) -> None:
    """Each failed trial doubles it, up to the longest."""
    circuit = opened()
    for _ in range(trials):
        now = circuit.opened_until
        circuit.enter()
        circuit.failed(now, DOWN)
        circuit.leave()

        assert CircuitState.OPEN is circuit.state(now)

    assert min(FIRST_OPEN_S * 2**trials, 5.0) == circuit.opened_until - now


def test_late_failures_do_not_prolong_it() -> None:
    """Calls that began before it was opened and fail afterwards change nothing."""
    circuit = opened()
    circuit.failed(0.1, DOWN)

    assert FIRST_OPEN_S == circuit.opened_until
