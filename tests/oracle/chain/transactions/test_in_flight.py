"""The way of transactions, decided without a chain."""

import random
import uuid
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainlink.rpc.client import Submission
from chainlink.rpc.errors import RpcRefused
from services.oracle.chain.settings import GasEstimatorSettings
from services.oracle.chain.transactions.fee_bumping import Fees, Floor, Market, bumped
from services.oracle.chain.transactions.in_flight import (
    Afterlife,
    Attempt,
    Flight,
    Mined,
    Receipt,
    Sight,
    Turn,
    Verdict,
    afterlife,
    is_stranded,
    judge,
    next_nonce,
    told_nonce,
    turn,
    wanted,
)

THRESHOLD, RESEND_S = 3, 60.0
NONCES = st.sets(st.integers(0, 30))


def flight(nonce: int = 5, *, head: int = 100, sent_s: float = 0.0, looks: int = 0) -> Flight:
    """Return a transaction under way."""
    attempt = Attempt("0x1", Fees(10), b"")
    return Flight(uuid.uuid4(), "0xT", b"report", 21_000, nonce, (attempt,), head, sent_s, looks)


def decide(one: Flight, sight: Sight, *held: int) -> Turn:
    """Return the turn of a transaction among others."""
    return turn(one, sight, {one.nonce, *held}, bump_threshold=THRESHOLD, resend_s=RESEND_S)


@pytest.mark.parametrize(
    ("message", "verdict"),
    [
        ("nonce too low: address 0x12, tx: 3 state: 7", Verdict.NONCE_TAKEN),
        ("OldNonce", Verdict.NONCE_TAKEN),
        ("Transaction nonce is too low. Try incrementing the nonce.", Verdict.NONCE_TAKEN),
        ("replacement transaction underpriced", Verdict.NONCE_TAKEN),
        ("transaction underpriced: tip needed 1, tip permitted 0", Verdict.UNDERPRICED),
        ("max fee per gas less than block base fee: address 0x1", Verdict.UNDERPRICED),
        ("FeeTooLow, MaxFeePerGas too low", Verdict.UNDERPRICED),
        ("insufficient funds for gas * price + value: balance 0", Verdict.UNFUNDED),
        ("Insufficient funds. The account you tried to send transaction from", Verdict.UNFUNDED),
        ("already known", Verdict.ACCEPTED),
        ("AlreadyKnown", Verdict.ACCEPTED),
        ("transaction already imported", Verdict.ACCEPTED),
        ("exceeds block gas limit", Verdict.REFUSED),
    ],
)
def test_what_clients_say(message: str, verdict: Verdict) -> None:
    """The words of the field's clients are understood."""
    assert verdict is judge(Submission(False, False, (RpcRefused("eth_sendRawTransaction", -32000, message),)))


def test_the_best_answer_counts() -> None:
    """One endpoint that has it is enough; as long as one may have it, no refusal frees its nonce."""
    low = RpcRefused("m", -32000, "nonce too low")
    poor = RpcRefused("m", -32000, "insufficient funds")
    assert Verdict.ACCEPTED is judge(Submission(True, True, (low,)))
    assert Verdict.UNCERTAIN is judge(Submission(False, True, (low,)))
    assert Verdict.NONCE_TAKEN is judge(Submission(False, False, (poor, low)))
    assert Verdict.UNREACHED is judge(Submission(False, False))


def test_the_numbers_that_pools_give() -> None:
    """Of several endpoints the one that wants most, and the one that is furthest, are believed."""
    texts = (
        "transaction underpriced: gas tip cap 1, minimum needed 1000",
        "transaction underpriced: tip needed 3000, tip permitted 1",
        "max fee per gas less than block base fee: address 0x1, maxFeePerGas: 1, baseFee: 70",
        "nonce too low: next nonce 8, tx nonce 3",
        "OldNonce, Current nonce: 9, nonce of rejected tx: 3",
        "whatever",
    )
    refusals = tuple(RpcRefused("eth_sendRawTransaction", -32000, text) for text in texts)
    assert Floor(3000, 70) == wanted(Submission(False, False, refusals))
    assert 9 == told_nonce(Submission(False, False, refusals))
    assert (Floor(), None) == (wanted(Submission(False, False)), told_nonce(Submission(False, False)))


@given(st.integers(0, 30), NONCES, st.integers(0, 30))
def test_the_next_nonce(pending: int, held: set[int], floor: int) -> None:
    """A new nonce is never one of ours nor one that is used, and leaves no gap that nobody holds."""
    nonce = next_nonce(pending, held, floor)

    assert nonce not in held
    assert nonce >= max(pending, floor)
    assert set(range(max(pending, floor), nonce)) <= held


@given(st.integers(0, 30), st.integers(0, 30), NONCES)
def test_stranded(mined: int, pending: int, held: set[int]) -> None:
    """A nonce is out of reach if and only if one between the chain's count and it is nobody's."""
    first = max(mined, pending)
    reach = first
    while reach in held:
        reach += 1
    for nonce in held:
        assert (nonce > reach) == is_stranded(nonce, Sight(0, 0.0, mined, pending), held)


def test_turns() -> None:
    """Each sight has its turn: wait, send again, offer more, look again, or the end."""
    waiting = Sight(head=102, now_s=59, mined=5, pending=6)
    assert Turn.WAIT is decide(flight(), waiting)
    assert Turn.RESEND is decide(flight(), replace(waiting, now_s=60))
    assert Turn.BUMP is decide(flight(), replace(waiting, head=103))
    assert Turn.CONFIRMED is decide(flight(), replace(waiting, receipt=Receipt("0x1", 101, ok=True)))
    assert Turn.REVERTED is decide(flight(), replace(waiting, receipt=Receipt("0x1", 101, ok=False)))
    taken = replace(waiting, mined=6)
    assert Turn.LOOK_AGAIN is decide(flight(looks=2), taken)
    assert Turn.LOST is decide(flight(looks=3), taken)
    stranded = replace(waiting, mined=3, pending=3)
    assert Turn.LOOK_AGAIN is decide(flight(), stranded)
    assert Turn.WAIT is decide(flight(), stranded, 3, 4)


def test_what_becomes_of_the_mined() -> None:
    """A mined transaction is kept, handed over again when its nonce goes on seeming free, then followed anew."""

    def decide_on(missing: int = 0, **seen: int | bool) -> Afterlife:
        now: dict[str, int | bool] = {"head": 105, "counted": 6, "has_receipt": False, "depth": 10} | seen
        return afterlife(Mined(flight(nonce=5), 100, missing), **now)  # type: ignore[arg-type]

    assert Afterlife.KEEP is decide_on()
    assert Afterlife.KEEP is decide_on(counted=5, has_receipt=True)
    assert Afterlife.LOOK_AGAIN is decide_on(counted=5)
    assert Afterlife.HAND_OVER is decide_on(missing=1, counted=5)
    assert Afterlife.HAND_OVER is decide_on(missing=2, counted=0)
    assert Afterlife.REOPEN is decide_on(missing=3, counted=5)
    assert Afterlife.KEEP is decide_on(missing=3, counted=6)
    assert Afterlife.BURIED is decide_on(head=110)
    assert Afterlife.KEEP is decide_on(head=109)
    # However many blocks lie over the one it had, it is not in any.
    assert Afterlife.HAND_OVER is decide_on(missing=1, head=150, counted=5)
    # A dev chain that began anew has none of what was.
    assert Afterlife.BURIED is decide_on(head=3, counted=0)


@dataclass
class Pool:
    """A chain of one account: what waits at each nonce, and what blocks took."""

    base_fee_wei: int = 100
    head: int = 1
    waiting: dict[int, tuple[str, int]] = field(default_factory=dict)
    mined: list[tuple[str, int]] = field(default_factory=list)

    def take(self, hash_: str, nonce: int, price_wei: int) -> Submission:
        """Answer a transaction as a pool does."""

        def refuse(text: str) -> Submission:
            return Submission(False, False, (RpcRefused("eth_sendRawTransaction", -32000, text),))

        if nonce < len(self.mined):
            return refuse("nonce too low")
        held = self.waiting.get(nonce)
        if held and held[0] == hash_:
            return refuse("already known")
        if held and price_wei * 10 < held[1] * 11:
            return refuse("replacement transaction underpriced")
        self.waiting[nonce] = (hash_, price_wei)
        return Submission(True, False)

    def mine(self) -> None:
        """Make a block of what pays enough."""
        self.head += 1
        while (held := self.waiting.get(len(self.mined))) and held[1] >= self.base_fee_wei:
            self.mined.append(self.waiting.pop(len(self.mined)))

    def sight(self, one: Flight, now_s: float) -> Sight:
        """Return what the chain says of a transaction."""
        pending = len(self.mined)
        while pending in self.waiting:
            pending += 1
        hashes = {attempt.hash for attempt in one.attempts}
        found = next((h for h, _ in self.mined if h in hashes), None)
        return Sight(self.head, now_s, len(self.mined), pending, Receipt(found, 1, ok=True) if found else None)


GAS = GasEstimatorSettings.read(
    {"Mode": "FixedPrice", "PriceDefault": "10 wei", "PriceMin": "1 wei", "PriceMax": "1000 wei", "BumpMin": "5 wei"}
)


@given(st.integers(0, 2**32))
def test_every_report_ends_with_one_nonce(seed: int) -> None:
    """
    Against a pool that forgets, a base fee that moves and a stranger with the same key, every transaction ends.

    No two of ours that are under way ever share a nonce, none is signed under two, and at most one form is mined.
    """
    luck, pool, now_s = random.Random(seed), Pool(), 0.0
    under_way: dict[uuid.UUID, Flight] = {}
    nonces_of: dict[bytes, set[int]] = {}
    ended: dict[bytes, Turn] = {}
    for step in range(60):
        now_s += 20
        pool.base_fee_wei = luck.choice((1, 10, 50, 200))
        if luck.random() < 0.1:
            pool.waiting.clear()
        if luck.random() < 0.1:
            pool.take(f"stranger {step}", len(pool.mined), luck.choice((5, 500)))
        if step < 30 and len(under_way) < 4:
            pending = pool.sight(flight(), now_s).pending
            nonce = next_nonce(pending, {one.nonce for one in under_way.values()}, 0)
            data = b"report %d" % step
            new = Flight(uuid.uuid4(), "0xT", data, 21_000, nonce, (Attempt(f"{step}/10", Fees(10), b""),), pool.head)
            if judge(pool.take(new.last.hash, nonce, 10)) is Verdict.ACCEPTED:
                under_way[new.id] = replace(new, sent_s=now_s)
                nonces_of.setdefault(data, set()).add(nonce)
        if luck.random() < 0.8:
            pool.mine()
        for key, one in sorted(under_way.items(), key=lambda item: item[1].nonce):
            held = {other.nonce for other in under_way.values()}
            assert len(held) == len(under_way)
            what = turn(one, pool.sight(one, now_s), held, bump_threshold=THRESHOLD, resend_s=RESEND_S)
            under_way[key] = one = replace(one, looks=one.looks + 1 if what is Turn.LOOK_AGAIN else 0)
            if what in (Turn.CONFIRMED, Turn.REVERTED, Turn.LOST):
                ended[one.data] = what
                del under_way[key]
            elif what is Turn.BUMP and (fees := bumped(GAS, one.last.fees, Market())) is not None:
                label = one.last.hash.split("/")[0]
                attempt = Attempt(f"{label}/{fees.cap_wei}", fees, b"")
                under_way[key] = replace(one, attempts=(*one.attempts, attempt), head=pool.head, sent_s=now_s)
                pool.take(attempt.hash, one.nonce, fees.cap_wei)
            elif what in (Turn.BUMP, Turn.RESEND):
                under_way[key] = replace(one, head=pool.head, sent_s=now_s)
                pool.take(one.last.hash, one.nonce, one.last.fees.cap_wei)
    reports = [h.split("/")[0] for h, _ in pool.mined if not h.startswith("stranger")]

    assert len(reports) == len(set(reports))
    assert all(len(nonces) == 1 for nonces in nonces_of.values())
    assert {} == under_way
    mined = {b"report %s" % name.encode() for name in reports}
    assert {data for data, what in ended.items() if what is Turn.CONFIRMED} <= mined


@given(st.integers(0, 2**32))
def test_every_gap_is_filled(seed: int) -> None:
    """
    Blocks may be taken back, and their transactions forgotten: in the end each report is in a block, and once.

    No nonce is given to two reports meanwhile.
    """
    luck, pool, now_s, depth = random.Random(seed), Pool(base_fee_wei=1), 0.0, 8
    under_way: dict[uuid.UUID, Flight] = {}
    mined: dict[uuid.UUID, Mined] = {}
    nonces_of: dict[bytes, set[int]] = {}
    for step in range(80):
        now_s += 20
        if step < 40 and luck.random() < 0.15:
            # As many transactions as blocks are taken back, so that none of them is buried yet.
            for _ in range(luck.randint(1, min(3, depth - 1))):
                if pool.mined and any(len(pool.mined) - 1 == one.flight.nonce for one in mined.values()):
                    pool.mined.pop()
        if step < 30 and len(under_way) < 3:
            held = {one.nonce for one in under_way.values()} | {one.flight.nonce for one in mined.values()}
            nonce, data = next_nonce(pool.sight(flight(), now_s).pending, held, 0), b"report %d" % step
            new = Flight(uuid.uuid4(), "0xT", data, 21_000, nonce, (Attempt(f"{step}/10", Fees(10), b""),), pool.head)
            if judge(pool.take(new.last.hash, nonce, 10)) is Verdict.ACCEPTED:
                under_way[new.id] = replace(new, sent_s=now_s)
                nonces_of.setdefault(data, set()).add(nonce)
        pool.mine()
        counted = len(pool.mined)
        for key, one in sorted(mined.items(), key=lambda item: item[1].flight.nonce):
            has_receipt = any(hash_ == one.flight.last.hash for hash_, _ in pool.mined)
            match afterlife(one, head=pool.head, counted=counted, has_receipt=has_receipt, depth=depth):
                case Afterlife.BURIED:
                    del mined[key]
                case Afterlife.KEEP:
                    mined[key] = replace(one, missing=0)
                case Afterlife.LOOK_AGAIN:
                    mined[key] = replace(one, missing=one.missing + 1)
                case Afterlife.HAND_OVER:
                    mined[key] = replace(one, missing=one.missing + 1)
                    pool.take(one.flight.last.hash, one.flight.nonce, 10)
                case Afterlife.REOPEN:
                    del mined[key]
                    under_way[key] = replace(one.flight, head=pool.head, sent_s=now_s, looks=0)
        for key, flown in sorted(under_way.items(), key=lambda item: item[1].nonce):
            nonces = {other.nonce for other in under_way.values()} | {one.flight.nonce for one in mined.values()}
            what = turn(flown, pool.sight(flown, now_s), nonces, bump_threshold=0, resend_s=RESEND_S)
            assert what is not Turn.LOST
            under_way[key] = replace(flown, looks=flown.looks + 1 if what is Turn.LOOK_AGAIN else 0)
            if what is Turn.CONFIRMED:
                mined[key] = Mined(flown, pool.head)
                del under_way[key]
            elif what is Turn.RESEND:
                under_way[key] = replace(flown, sent_s=now_s)
                pool.take(flown.last.hash, flown.nonce, 10)
    reports = [hash_.split("/")[0] for hash_, _ in pool.mined]

    assert {} == under_way
    assert len(reports) == len(set(reports))
    assert {b"report %s" % name.encode() for name in reports} == set(nonces_of)
    assert all(len(nonces) == 1 for nonces in nonces_of.values())
