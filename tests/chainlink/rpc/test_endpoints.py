"""Which endpoint is asked, decided without a network."""

from hypothesis import given
from hypothesis import strategies as st

from chainlink.rpc.endpoints import Endpoint, EndpointBook, Standing

MOVES = st.lists(
    st.tuples(
        st.sampled_from(("proved", "disproved", "failed", "answered", "head")), st.integers(0, 3), st.integers(0, 20)
    ),
    max_size=40,
)


@given(MOVES)
def test_the_order_of_endpoints(moves: list[tuple[str, int, int]]) -> None:
    """Whatever happens, no foreign endpoint is asked, no send-only one is read, and good ones come first."""
    endpoints = [
        Endpoint("a", "a", order=1),
        Endpoint("b", "b"),
        Endpoint("c", "c"),
        Endpoint("d", "d", send_only=True),
    ]
    book = EndpointBook(endpoints)
    for move, index, block in moves:
        match move:
            case "head":
                book.saw_head(index, block)
            case "proved":
                book.proved(index)
            case "disproved":
                book.disproved(index)
            case "failed":
                book.failed(index)
            case "answered" if book.is_proven(index):
                book.answered(index)
    reading, sending = book.for_reading(), book.for_sending()
    standings = [book.standing(index) for index in range(4)]

    assert 3 not in reading
    assert Standing.FOREIGN not in {standings[i] for i in reading + sending}
    assert {i for i in range(3) if standings[i] is not Standing.FOREIGN} == set(reading)
    ranks = [list(Standing).index(standings[i]) for i in reading]
    assert sorted(ranks) == ranks
    assert set(reading) == set() or any(i in sending for i in reading)
