"""The address book and its announcements."""

from contextlib import suppress
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedmesh.ocr.v1 import discovery_pb2 as pb
from services.oracle.p2p.address import Address
from services.oracle.p2p.discovery.address_book import AddressBook, Group
from services.oracle.p2p.discovery.announcement import MAX_COUNTER, Announcement, decode_discovery, encode_reconcile
from services.oracle.p2p.errors import AnnouncementRefused, MalformedInput
from services.oracle.p2p.identity import PeerKey
from tests.oracle.ocr.committee import secret_of

KEYS = [PeerKey.from_bytes(secret_of("peer", i)) for i in range(4)]
BOOT = PeerKey.from_bytes(secret_of("bootstrap", 0))
ONE, TWO, THREE = bytes([1]), bytes([2]), bytes([3])


def at(port: int) -> tuple[Address, ...]:
    """Return one address."""
    return (Address("127.0.0.1", port),)


def announced(index: int, port: int, counter: int = 0) -> Announcement:
    """Return what an oracle announces."""
    return Announcement.sign(KEYS[index], at(port), counter)


def group(*indices: int, bootstrap_port: int = 9) -> Group:
    """Return a group of these oracles and the bootstrapper."""
    return Group(frozenset(KEYS[i].public_key for i in indices), {BOOT.public_key: at(bootstrap_port)})


def book_of(index: int, *indices: int) -> AddressBook:
    """Return an oracle's book with one group."""
    book = AddressBook(KEYS[index], at(100 + index))
    book.add_group(ONE, group(*indices))
    return book


def seen(message: bytes | None) -> set[bytes]:
    """Return whose announcements a message holds."""
    return {m.public_key for m in decode_discovery(message)} if message else set()


def test_newest_counter_wins() -> None:
    """Of one peer's announcements the highest counter stays, in whatever order they come."""
    book = book_of(0, 0, 1)
    for counter, port in ((3, 33), (1, 11), (5, 55), (5, 66), (4, 44)):
        book.learn(encode_reconcile([announced(1, port, counter)]))

    assert list(at(55)) == book.addresses(KEYS[1].public_key)


def test_strangers_are_refused() -> None:
    """Announcements of no oracle of a group, and forged ones, are refused; the rest of the message counts."""
    book = book_of(0, 0, 1, 2)
    forged = announced(1, 11).to_proto()
    forged.counter = 9
    envelope = pb.DiscoveryEnvelope(
        reconcile=pb.Reconcile(signed_announcements=[announced(3, 13).to_proto(), forged, announced(2, 12).to_proto()])
    )
    learned = book.learn(envelope.SerializeToString())

    assert 2 == len(learned.refused)
    assert (announced(2, 12),) == learned.accepted
    assert [] == book.addresses(KEYS[1].public_key)


def test_bootstrapper_announcement_is_refused() -> None:
    """A bootstrapper is no oracle: its configured addresses count, not announced ones."""
    book = book_of(0, 0, 1)
    learned = book.learn(encode_reconcile([Announcement.sign(BOOT, at(99), 1)]))

    assert 1 == len(learned.refused)
    assert list(at(9)) == book.addresses(BOOT.public_key)


def test_who_may_see_what() -> None:
    """A peer is told the oracles it shares a group with, itself included, and no others."""
    book = AddressBook(BOOT, at(9))
    book.add_group(ONE, group(0, 1))
    book.add_group(TWO, group(1, 2))
    book.learn(encode_reconcile([announced(i, i) for i in range(3)]))
    keys = [key.public_key for key in KEYS]

    assert set(keys[:2]) == seen(book.message_for(keys[0]))
    assert set(keys[:3]) == seen(book.message_for(keys[1]))
    assert set(keys[1:3]) == seen(book.message_for(keys[2]))
    assert book.message_for(keys[3]) is None
    assert BOOT.public_key not in seen(book.message_for(keys[1]))


def test_own_old_announcement_is_outbid() -> None:
    """An own announcement of an earlier life with other addresses raises the own counter above it."""
    book = book_of(0, 0, 1)
    assert not book.learn(encode_reconcile([announced(0, 100, counter=0)])).renewed
    learned = book.learn(encode_reconcile([announced(0, 77, counter=6)]))

    assert learned.renewed
    assert 7 == book.counter
    message = book.message_for(KEYS[1].public_key)
    assert message is not None
    assert [(at(100), 7)] == [(a.addresses, a.counter) for a in map(Announcement.from_proto, decode_discovery(message))]
    assert not book.learn(encode_reconcile([announced(0, 77, counter=6)])).renewed
    assert not book.learn(encode_reconcile([announced(0, 77, counter=MAX_COUNTER)])).renewed


def test_known_from_an_earlier_run() -> None:
    """Saved announcements are there at the start, and the own counter goes on above them when addresses changed."""
    book = AddressBook(KEYS[0], at(100), [announced(1, 11), announced(0, 50, counter=4)])
    book.add_group(ONE, group(0, 1))
    same = AddressBook(KEYS[0], at(50), [announced(0, 50, counter=4)])

    assert list(at(11)) == book.addresses(KEYS[1].public_key)
    assert 5 == book.counter
    assert 4 == same.counter


def test_groups_end() -> None:
    """Without a group its members are no peers any more, and their announcements are forgotten."""
    book = book_of(0, 0, 1)
    book.add_group(TWO, group(0, 2))
    book.learn(encode_reconcile([announced(1, 11), announced(2, 12)]))
    book.remove_group(ONE)
    book.remove_group(THREE)

    assert {KEYS[2].public_key, BOOT.public_key} == book.peers()
    assert [] == book.addresses(KEYS[1].public_key)
    assert list(at(12)) == book.addresses(KEYS[2].public_key)


def test_configured_addresses_come_first() -> None:
    """A bootstrapper that is an oracle too is dialed where configured, then where announced."""
    book = AddressBook(KEYS[0], at(100))
    key = KEYS[1].public_key
    book.add_group(ONE, Group(frozenset(k.public_key for k in KEYS[:2]), {key: at(1)}))
    book.learn(encode_reconcile([announced(1, 2)]))

    assert [*at(1), *at(2)] == book.addresses(key)


@given(st.binary(max_size=200))
def test_noise(payload: bytes) -> None:
    """Bytes that are no discovery message raise AnnouncementRefused and nothing else, and change nothing."""
    book = book_of(0, 0, 1)
    before = book.message_for(KEYS[1].public_key)
    with suppress(AnnouncementRefused):
        book.learn(payload)

    assert before == book.message_for(KEYS[1].public_key)


@pytest.mark.parametrize(
    "addresses",
    [[], [b"127.0.0.1:1"] * 11, [b"localhost:1"], [b"127.0.0.1:01"], [b"127.0.0.1"], [b"\xff:1"], [b"1" * 54]],
)
def test_refused_addresses(addresses: list[bytes]) -> None:
    """None, too many, named, unusual and malformed addresses are refused before the signature is looked at."""
    message = pb.SignedAnnouncement(addrs=addresses, counter=0, public_key=KEYS[0].public_key, sig=bytes(64))
    with pytest.raises(AnnouncementRefused) as caught:
        Announcement.from_proto(message)

    assert "signature" not in str(caught.value)


@pytest.mark.parametrize("text", ["127.0.0.1:80", "[::1]:443", "example.org:1"])
def test_address_round_trip(text: str) -> None:
    """Addresses are read and written alike."""
    assert text == str(Address.parse(text))


@pytest.mark.parametrize("text", ["", ":1", "host", "host:", "host:-1", "host:65536", "::1:80", "host:٣"])
def test_malformed_addresses(text: str) -> None:
    """What is no host and port is refused."""
    with pytest.raises(MalformedInput, match="address"):
        Address.parse(text)


@given(st.sets(st.integers(0, 3)), st.booleans())
def test_one_end_of_two_dials_first(serving: set[int], listed: bool) -> None:
    """Of any two members one end dials first, and of an oracle and a bootstrapper it is the oracle."""
    keys = [key.public_key for key in KEYS[:4]]
    members = Group(frozenset(keys if listed else keys[:2]), {keys[i]: [] for i in serving})
    books = []
    for key in KEYS[:4]:
        books.append(AddressBook(key, []))
        books[-1].add_group(ONE, members)
    for i, j in combinations(range(4), 2):
        assert books[i].dials_first(keys[j]) is not books[j].dials_first(keys[i])
        if (i in serving) is not (j in serving):
            assert (j in serving) is books[i].dials_first(keys[j])
