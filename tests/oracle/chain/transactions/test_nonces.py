"""Which nonce the next transaction gets."""

from hypothesis import given
from hypothesis import strategies as st

from services.oracle.chain.transactions.nonces import Nonces

COUNTS = st.integers(0, 40)


def test_the_chain_and_what_is_known() -> None:
    """The chain's word counts as far as it is not behind what blocks are known to have."""
    nonces = Nonces()
    nonces.told(3, 5)
    assert (5, 6) == (nonces.next(()), nonces.next({5}))
    nonces.used(7)
    nonces.told(2, 2)
    assert (8, 8, 2) == (nonces.next(()), nonces.mined, nonces.counted)


def test_a_nonce_that_is_taken() -> None:
    """A taken nonce is passed over, to the one that was told if that is higher; after a loss the chain decides."""
    nonces = Nonces()
    nonces.told(3, 3)
    nonces.taken(3, None)
    assert 4 == nonces.next(())
    nonces.taken(4, 9)
    assert 9 == nonces.next(())
    nonces.taken(9, 2)
    assert 10 == nonces.next(())
    nonces.lost()
    assert 3 == nonces.next(())


def test_what_is_forgotten() -> None:
    """A block that is gone frees its nonce, a pool that wants lower ones what was guessed, a rewound chain all."""
    nonces = Nonces()
    nonces.told(5, 5)
    nonces.vanished(3)
    nonces.told(3, 3)
    assert 3 == nonces.next(())
    nonces.taken(8, None)
    nonces.too_high()
    assert (3, None) == (nonces.next(()), nonces.pending)
    nonces.forget()
    assert (0, 0) == (nonces.next(()), nonces.mined)


@given(st.lists(st.tuples(COUNTS, COUNTS)), st.lists(COUNTS), st.sets(COUNTS))
def test_no_used_nonce_is_given(told: list[tuple[int, int]], used: list[int], held: set[int]) -> None:
    """Whatever endpoints say, in whatever order, no nonce that a block is known to have is given, nor one of ours."""
    nonces = Nonces()
    for counted, pending in told:
        nonces.told(counted, pending)
    for nonce in used:
        nonces.used(nonce)
    given_nonce = nonces.next(held)

    assert given_nonce not in held
    assert given_nonce >= max([0, *(counted for counted, _ in told), *(nonce + 1 for nonce in used)])
