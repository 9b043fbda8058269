"""transmit: every refusal in its order, what an accepted report leaves behind, and what it costs."""

from __future__ import annotations

import pytest
from eth_keys.datatypes import PrivateKey
from hexbytes import HexBytes
from web3.types import Wei

from tests.contracts import reports
from tests.contracts.feed import GAS, MAX_ANSWER, MIN_ANSWER, STRANGER, ZERO, Chain, Feed, deploy_feed, key

VALUES = (100, 200, 300, 400)
SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def test_vector() -> None:
    """The report encoding and its signature equal those of the reference implementation."""
    report = reports.encode_report(
        reports.context(bytes.fromhex("aabbccddeeff00112233445566778899"), 7, 3), [2, 0, 3], [-1, 5, 9]
    )
    signer = PrivateKey(bytes.fromhex("1c129de30e74e6bba1bd7dbe8c2a718d74ece7204b5b8d04a062c2c489978fd2"))

    made = reports.sign(report, [signer])

    assert report[:32].hex() == "0000000000000000000000aabbccddeeff001122334455667788990000000703"
    assert len(report) == 128 + 3 * 32
    assert signer.public_key.to_checksum_address() == "0x359C282e8a18AAC32C4392bD584dE9e5e75F7dfE"
    assert made.rs[0].hex() == "b3ea9b2d72d051aa99b4b41b9ed01bbe1b0993095622c3998c9fcb81835d6409"
    assert made.ss[0].hex() == "612b8d532dfa08efbe2cb8a3583544023d5a59dd4d228e81caad74e3c953f1f7"
    assert made.raw_vs == bytes(32)


def test_accepted(feed: Feed) -> None:
    """An accepted report stores the upper middle and is announced by three events in a fixed order."""
    report = feed.report(VALUES, epoch=7, round_=3, observers=[2, 0, 3, 1])

    receipt = feed.chain.send(feed.transmit_call(report, [3, 1]), feed.transmitters[2])

    at = feed.chain.w3.eth.get_block(receipt["blockNumber"])["timestamp"]
    expected = [
        (
            "NewTransmission",
            {
                "aggregatorRoundId": 1,
                "answer": 300,
                "transmitter": feed.transmitters[2],
                "observations": list(VALUES),
                "observers": bytes([2, 0, 3, 1]),
                "rawReportContext": report[:32],
            },
        ),
        ("NewRound", {"roundId": 1, "startedBy": ZERO, "startedAt": at}),
        ("AnswerUpdated", {"current": 300, "roundId": 1, "updatedAt": at}),
    ]
    assert expected == feed.events(receipt)
    assert [1, 300, at, at, 1] == list(feed.contract.functions.latestRoundData().call())
    assert [feed.digest, 7, 3, 300, at] == list(feed.contract.functions.latestTransmissionDetails().call())


def test_negative_answer(chain: Chain) -> None:
    """Negative observations are sorted, stored and announced as what they are."""
    feed = deploy_feed(chain, limits=(-(10**9), 10**9))
    feed.configure()

    feed.transmit([-9, -5, -1])

    assert -5 == feed.contract.functions.latestAnswer().call()


def test_gas(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    """Transmitting costs about what nodes are tuned for, and stays below their usual limit for n = 31 too."""
    used: dict[str, int] = {}
    for n in (4, 31):
        feed = deploy_feed(chain, n=n, f=(n - 1) // 3)
        used[f"setPayees n={n}"] = feed.set_payees()["gasUsed"]
        used[f"setConfig n={n}"] = chain.send(feed.set_config_call())["gasUsed"]
        used[f"first transmit n={n}"] = feed.transmit(range(100, 100 + n), round_=1)["gasUsed"]
        used[f"transmit n={n}"] = feed.transmit(range(100, 100 + n), round_=2)["gasUsed"]
    with capsys.disabled():
        print("\n" + "\n".join(f"gas of {what}: {gas}" for what, gas in used.items()))

    assert used["transmit n=4"] < 200_000
    assert used["transmit n=31"] < 400_000


def test_too_long(feed: Feed) -> None:
    """One byte after the canonical call data is refused, and so is one word."""
    data = HexBytes(feed.transmit_call(feed.report(VALUES))._encode_transaction_data())

    assert "transmit message too long" == _refused(feed, data + b"\0")
    assert "transmit message too long" == _refused(feed, data + bytes(32))


def test_length_is_judged_first(feed: Feed) -> None:
    """A message that is too long is refused as that, whatever else is wrong with it."""
    call = feed.transmit_call(b"\1" * 32, [])

    assert "transmit message too long" == _refused(feed, HexBytes(call._encode_transaction_data()) + b"\0")


def test_malformed_report(feed: Feed) -> None:
    """A report that is no ABI encoding is refused without a reason, even with an absurd array length."""
    good = feed.report(VALUES)
    malformed = {
        "empty": b"",
        "three words": good[:96],
        "offset beyond the end": good[:64] + (10**9).to_bytes(32, "big") + good[96:],
        "huge offset": good[:64] + b"\xff" * 32 + good[96:],
        "one observation short": good[:-32],
        "huge count": good[:96] + b"\xff" * 32 + good[128:],
        "count of 2**60": good[:96] + (2**60).to_bytes(32, "big") + good[128:],
        "observation beyond int192": good[:-32] + (2**191).to_bytes(32, "big"),
    }

    for name, report in malformed.items():
        refusal = feed.why_not(report)
        assert (name, b"") == (name, refusal.data)


def test_other_offset(feed: Feed) -> None:
    """A valid ABI encoding with the array elsewhere than usual is read like any other."""
    good = feed.report(VALUES)
    report = good[:64] + (0x80).to_bytes(32, "big") + bytes(32) + good[96:]

    feed.chain.send(feed.transmit_call(report), feed.transmitters[0])

    assert 300 == feed.contract.functions.latestAnswer().call()


def test_wrong_digest(feed: Feed) -> None:
    """A report for another configuration is refused before its age is looked at."""
    assert "configDigest mismatch" == feed.why_not(feed.report(VALUES, digest=b"\7" * 16, epoch=0, round_=0)).reason


def test_unconfigured(bare_feed: Feed) -> None:
    """A feed without oracles takes nothing, not even a report for the zero digest."""
    bare_feed.set_payees()

    report = bare_feed.report(VALUES, digest=bytes(16))

    assert "unauthorized transmitter" == bare_feed.why_not(report).reason


def test_stale(feed: Feed) -> None:
    """Epoch and round grow strictly together: equal and smaller ones are refused, a new epoch restarts rounds."""
    assert "stale report" == feed.why_not(feed.report(VALUES, epoch=0, round_=0)).reason

    feed.transmit(VALUES, epoch=0, round_=1)
    feed.transmit(VALUES, epoch=2, round_=9)

    for epoch, round_ in ((2, 9), (2, 8), (1, 255), (0, 1)):
        assert "stale report" == feed.why_not(feed.report(VALUES, epoch=epoch, round_=round_), []).reason
    feed.transmit(VALUES, epoch=3, round_=0)
    feed.transmit(VALUES, epoch=2**32 - 1, round_=255)

    assert 4 == feed.contract.functions.latestRound().call()


def test_not_enough_signatures(feed: Feed) -> None:
    """Exactly f signatures are too few, f+1 and more are fine."""
    report = feed.report(VALUES)

    assert "not enough signatures" == feed.why_not(report, []).reason
    assert "not enough signatures" == feed.why_not(report, [0]).reason
    feed.chain.send(feed.transmit_call(report, [2, 0, 3]), feed.transmitters[0])


def test_too_many_signatures(feed: Feed) -> None:
    """More signatures than there can be oracles are refused."""
    assert "too many signatures" == feed.why_not(feed.report(VALUES), [0] * 32).reason


def test_unequal_signature_lists(feed: Feed) -> None:
    """There must be as many s as r."""
    report = feed.report(VALUES)
    made = reports.sign(report, [key("signer 0"), key("signer 1")])

    call = feed.contract.functions.transmit(report, made.rs, made.ss[:1], made.raw_vs)

    assert "signatures out of registration" == feed.chain.refusal(call, feed.transmitters[0]).reason


def test_too_many_observations(feed: Feed) -> None:
    """More observations than there can be oracles are refused."""
    report = feed.report([5] * 32)

    assert "num observations out of bounds" == feed.why_not(report).reason


def test_too_few_observations(feed: Feed) -> None:
    """2f observations are too few for a median that f liars cannot choose; 2f+1 are enough."""
    assert "too few values to trust median" == feed.why_not(feed.report([1, 2])).reason

    feed.transmit([1, 2, 3])

    assert 2 == feed.contract.functions.latestAnswer().call()


def test_repeated_observer(feed: Feed) -> None:
    """No oracle observes twice in a report."""
    assert "observer index repeated" == feed.why_not(feed.report(VALUES, observers=[0, 1, 2, 1])).reason


def test_observer_beyond_limit(feed: Feed) -> None:
    """An observer index of 31 or more ends in an invalid opcode: no reason, and all gas is gone."""
    for index in (31, 255):
        call = feed.transmit_call(feed.report(VALUES, observers=[0, 1, 2, index]))
        refusal = feed.chain.refusal(call, feed.transmitters[0])
        assert b"" == refusal.data
        assert "InvalidFEOpcode" in refusal.message or "invalid opcode" in refusal.message.lower()

    sent = call.transact({"from": feed.transmitters[0], "gas": GAS, "gasPrice": Wei(0)})
    receipt = feed.chain.w3.eth.wait_for_transaction_receipt(sent, poll_latency=0.01)
    assert (0, GAS) == (receipt["status"], receipt["gasUsed"])


def test_observer_beyond_the_oracles(feed: Feed) -> None:
    """Observer indices need not belong to an oracle: only distinct and below 31."""
    receipt = feed.chain.send(feed.transmit_call(feed.report(VALUES, observers=[0, 1, 2, 30])), feed.transmitters[0])

    assert bytes([0, 1, 2, 30]) == feed.events(receipt)[0][1]["observers"]


def test_unauthorized_transmitter(feed: Feed) -> None:
    """Only registered transmitters may send; a signer or a stranger may not, and signatures are not even looked at."""
    for sender in (STRANGER, feed.signers[0], feed.payees[0]):
        assert "unauthorized transmitter" == feed.why_not(feed.report(VALUES), [7, 8], sender).reason


def test_unauthorized_signer(feed: Feed) -> None:
    """A signature of anybody else is refused, a transmitter's too, and so is a malformed one."""
    report = feed.report(VALUES)
    good = reports.sign(report, [key("signer 0"), key("signer 1")])
    transmitter = reports.sign(report, [key("signer 0"), key("transmitter 1")])
    shifted = bytes(v + 27 for v in good.raw_vs[:2]) + good.raw_vs[2:]
    wrapping = bytes([good.raw_vs[0], 255]) + good.raw_vs[2:]

    assert "address not authorized to sign" == feed.why_not(report, [0, 9]).reason
    for made, raw_vs in ((transmitter, transmitter.raw_vs), (good, shifted), (good, wrapping)):
        call = feed.contract.functions.transmit(report, made.rs, made.ss, raw_vs)
        assert "address not authorized to sign" == feed.chain.refusal(call, feed.transmitters[0]).reason


def test_zero_signer(bare_feed: Feed) -> None:
    """A malformed signature stays nobody's even when somebody configured the zero address as a signer."""
    feed = bare_feed
    feed.set_payees()
    signers = [*feed.signers[:3], ZERO]
    feed.chain.send(feed.contract.functions.setConfig(signers, feed.transmitters, 1, 1, b""))
    report = feed.report(VALUES)
    made = reports.sign(report, [key("signer 0"), key("signer 1")])

    call = feed.contract.functions.transmit(report, made.rs, made.ss, bytes([made.raw_vs[0], 9]) + bytes(30))

    assert "address not authorized to sign" == feed.chain.refusal(call, feed.transmitters[0]).reason


def test_changed_after_signing(feed: Feed) -> None:
    """A report altered after it was signed is refused."""
    made = reports.sign(feed.report(VALUES), [key("signer 0"), key("signer 1")])

    call = feed.contract.functions.transmit(feed.report((100, 200, 301, 400)), made.rs, made.ss, made.raw_vs)

    assert "address not authorized to sign" == feed.chain.refusal(call, feed.transmitters[0]).reason


def test_high_s(feed: Feed) -> None:
    """The mirrored form of a signature is accepted as well."""
    report = feed.report(VALUES)
    made = reports.sign(report, [key("signer 0"), key("signer 1")])
    mirrored = tuple((SECP256K1_ORDER - int.from_bytes(s, "big")).to_bytes(32, "big") for s in made.ss)
    raw_vs = bytes(v ^ 1 for v in made.raw_vs[:2]) + bytes(30)

    feed.chain.send(feed.contract.functions.transmit(report, made.rs, mirrored, raw_vs), feed.transmitters[0])

    assert 300 == feed.contract.functions.latestAnswer().call()


def test_repeated_signer(feed: Feed) -> None:
    """One oracle's signature counts once."""
    assert "non-unique signature" == feed.why_not(feed.report(VALUES), [2, 2]).reason


def test_unsorted(feed: Feed) -> None:
    """Observations ascend; equal neighbours are fine."""
    assert "observations not sorted" == feed.why_not(feed.report([1, 3, 2, 4])).reason

    feed.transmit([5, 5, 5, 5])

    assert 5 == feed.contract.functions.latestAnswer().call()


def test_median_out_of_range(feed: Feed) -> None:
    """Only the median must lie between the limits, which belong to the range; outliers do not matter."""
    assert "median is out of min-max range" == feed.why_not(feed.report([0, 0, 0, 9])).reason
    assert "median is out of min-max range" == feed.why_not(feed.report([9, MAX_ANSWER + 1, MAX_ANSWER + 1])).reason

    feed.transmit([-5, MIN_ANSWER, MAX_ANSWER + 7], round_=1)
    feed.transmit([-5, MAX_ANSWER, MAX_ANSWER], round_=2)

    assert MAX_ANSWER == feed.contract.functions.latestAnswer().call()


def test_rounds_outlive_configurations(feed: Feed) -> None:
    """A new configuration restarts epochs but keeps the answers and their numbering; old reports die."""
    feed.transmit(VALUES, epoch=50)
    old = feed.report(VALUES, epoch=51)
    feed.chain.send(feed.set_config_call())

    assert [feed.digest, 0, 0, 300] == list(feed.contract.functions.latestTransmissionDetails().call())[:4]
    assert "configDigest mismatch" == feed.why_not(old).reason
    feed.transmit([7, 8, 9], epoch=0, round_=1)

    assert [2, 8] == list(feed.contract.functions.latestRoundData().call())[:2]
    assert [1, 300] == list(feed.contract.functions.getRoundData(1).call())[:2]


def _refused(feed: Feed, data: bytes) -> str:
    return feed.chain.refusal_of_data(feed.contract.address, data, feed.transmitters[0]).reason
