"""What a connection sends, whatever the provider answers."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.streams.kraken import KrakenStream
from services.aggregator.streams.subscriptions import (
    ANSWER_S,
    MOST_TRIES,
    PAUSE_S,
    REJECTED_S,
    Rejections,
    Request,
    Subscriptions,
    Verb,
)

RULES = KrakenStream.RULES
SYMBOLS = "abcdefghijkl"


def drain(subscriptions: Subscriptions, now: float) -> list[Request]:
    """Return all that is to be sent now."""
    requests = []
    while (request := subscriptions.next(now)) is not None:
        requests.append(request)
        assert len(requests) < 1_000
    return requests


@given(
    st.lists(st.sets(st.sampled_from(SYMBOLS)), min_size=1, max_size=8),
    st.sets(st.sampled_from(SYMBOLS)),
    st.integers(1, 5),
)
def test_the_provider_ends_up_with_what_is_wanted(wishes: list[set[str]], unknown: set[str], batch: int) -> None:
    """
    Whatever is wanted in turn, a provider that fails each request with an unknown symbol in the end holds what is
    wanted but for the unknown ones, and was never asked for what it held.
    """
    subscriptions = Subscriptions(RULES, batch, Rejections())
    held: set[str] = set()
    for wanted in wishes:
        subscriptions.want(sorted(wanted))
        for _ in range(100):
            requests = drain(subscriptions, 0)
            if not requests:
                break
            for request in requests:
                assert 1 <= len(request.symbols) <= batch
                if request.verb is Verb.UNSUBSCRIBE:
                    assert set(request.symbols) <= held
                    held -= set(request.symbols)
                elif unknown & set(request.symbols):
                    subscriptions.fail(str(request.request_id), 0)
                else:
                    assert not held & set(request.symbols)
                    held |= set(request.symbols)
                    subscriptions.confirm_request(str(request.request_id))
        assert wanted - unknown == held
        assert subscriptions.is_complete(0)


def test_rejection_ends_after_an_hour() -> None:
    """A rejected symbol is asked for again after an hour, as it may be listed by then."""
    subscriptions = Subscriptions(RULES, 5, Rejections())
    subscriptions.want(["a"])
    drain(subscriptions, 0)
    assert subscriptions.reject("a", 0)
    assert [] == drain(subscriptions, REJECTED_S - 1)
    assert [("a",)] == [request.symbols for request in drain(subscriptions, REJECTED_S)]


def test_fellows_of_a_rejected_symbol() -> None:
    """Where one bad symbol fails the whole request, its fellows are asked for again at once; else they are held."""
    for alone, again in ((False, [("b",)]), (True, [])):
        subscriptions = Subscriptions(RULES, 5, Rejections())
        subscriptions.want(["a", "b"])
        drain(subscriptions, 0)
        subscriptions.reject("a", 0, alone=alone)
        assert again == [request.symbols for request in drain(subscriptions, 0)]


def test_a_missing_answer() -> None:
    """A symbol that the provider does not answer while it says other things is asked for a few times, then left out."""
    subscriptions = Subscriptions(RULES, 5, Rejections())
    subscriptions.want(["a"])
    asked = []
    for now in range(100):
        asked += [now] if drain(subscriptions, now) else []
        subscriptions.hear(now + 0.5)
    assert [int(ANSWER_S) * tries for tries in range(MOST_TRIES)] == asked
    assert subscriptions.is_useless(100)


def test_a_silent_provider_refuses_nothing() -> None:
    """On a connection on which nothing comes, a symbol is asked for until the connection ends."""
    subscriptions = Subscriptions(RULES, 5, Rejections())
    subscriptions.want(["a"])
    asked = [now for now in range(100) if drain(subscriptions, now)]
    assert list(range(0, 100, int(ANSWER_S))) == asked
    assert not subscriptions.is_useless(100)


def test_a_temporary_failure() -> None:
    """A limit answer rejects nothing: the request is repeated after a pause."""
    subscriptions = Subscriptions(RULES, 5, Rejections())
    subscriptions.want(["a"])
    (request,) = drain(subscriptions, 0)
    assert [] == list(subscriptions.fail(str(request.request_id), 0, temporary=True))
    assert [] == drain(subscriptions, PAUSE_S - 1)
    assert [("a",)] == [again.symbols for again in drain(subscriptions, PAUSE_S)]


def test_a_price_is_an_answer() -> None:
    """A symbol that has a price is subscribed, even if its acknowledgement was lost."""
    subscriptions = Subscriptions(RULES, 5, Rejections())
    subscriptions.want(["a"])
    drain(subscriptions, 0)
    subscriptions.confirm("a")
    assert [] == drain(subscriptions, 2 * ANSWER_S)


def test_without_acknowledgements() -> None:
    """Where the provider confirms nothing, what was asked for is taken as held."""
    subscriptions = Subscriptions(replace(RULES, acknowledges=False), 5, Rejections())
    subscriptions.want(["a"])
    drain(subscriptions, 0)
    assert subscriptions.is_complete(0)
    assert [] == drain(subscriptions, 2 * ANSWER_S)


def test_answers_to_nobody() -> None:
    """Answers about symbols and requests that were never sent change nothing."""
    subscriptions = Subscriptions(RULES, 5, Rejections())
    subscriptions.confirm("a")
    subscriptions.confirm_request("7")
    assert not subscriptions.reject("a", 0)
    assert [] == list(subscriptions.fail("7", 0))
    subscriptions.want(["a"])
    assert [("a",)] == [request.symbols for request in drain(subscriptions, 0)]
