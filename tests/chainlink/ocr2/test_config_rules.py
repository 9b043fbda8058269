"""The rules of an OCR2 configuration, each with the field it names."""

from dataclasses import replace

import pytest

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr.config_differences import config_differences
from chainlink.ocr.shared_secret import SharedSecretEncryptions
from chainlink.ocr2.config_rules import check, flaws
from chainlink.ocr2.contract_config import Ocr2Config
from chainlink.ocr2.median_config import AnswerRange
from chainlink.units import NS_PER_S
from tests.chainlink.ocr2.made import made_ocr2_config

MADE = made_ocr2_config()
_SEALED = SharedSecretEncryptions(bytes(32), bytes(32), (bytes(16),) * 4)


def offchain(**changes: object) -> Ocr2Config:
    """Return the configuration with changes in its off-chain part."""
    return replace(MADE, offchain=replace(MADE.offchain, **changes))  # type: ignore[arg-type]


# What libocr refuses, by the field that we name.
REFUSED = [
    (replace(MADE, version=30), "offchainConfigVersion"),
    (replace(MADE, f=2), "f"),
    (replace(MADE, transmitters=MADE.transmitters[:3]), "transmitters"),
    (replace(MADE, transmitters=MADE.transmitters[:3] + MADE.transmitters[:1]), "transmitters[3]"),
    (replace(MADE, signers=MADE.signers[:3] + MADE.signers[:1]), "signers[3]"),
    (replace(MADE, answers=AnswerRange(2, 1)), "onchainConfig"),
    (offchain(offchain_public_keys=()), "offchainPublicKeys"),
    (offchain(offchain_public_keys=MADE.offchain.offchain_public_keys[:1] * 4), "offchainPublicKeys[1]"),
    (offchain(peer_ids=MADE.offchain.peer_ids[1:]), "peerIDs"),
    (offchain(peer_ids=MADE.offchain.peer_ids[:1] * 4), "peerIDs[1]"),
    (offchain(delta_stage_ns=2**63), "deltaStage"),
    (offchain(delta_grace_ns=2**64 - 1), "deltaGrace"),
    (offchain(delta_round_ns=5 * NS_PER_S), "deltaRound"),
    (offchain(delta_resend_ns=199_999_999), "deltaResend"),
    (offchain(max_duration_query_ns=5 * NS_PER_S), "maxDurationQuery + maxDurationObservation + maxDurationReport"),
    (offchain(max_duration_should_accept_ns=2**63), "maxDurationShouldAcceptFinalizedReport"),
    (offchain(max_duration_should_transmit_ns=2**63), "maxDurationShouldTransmitAcceptedReport"),
    (offchain(median=replace(MADE.offchain.median, delta_c_ns=2**63)), "deltaC"),
    (offchain(r_max=0), "rMax"),
    (offchain(r_max=255), "rMax"),
    (offchain(s=(1,) * 1000), "s"),
    (offchain(s=(1, 32)), "s[1]"),
    (made_ocr2_config(32), "signers"),
]
# The edges of what it takes.
BORNE = [
    MADE,
    replace(MADE, transmitters=MADE.signers),
    replace(MADE, answers=AnswerRange(-(2**191), -(2**191))),
    made_ocr2_config(31),
    offchain(s=()),
    offchain(s=(0,) * 999),
    offchain(delta_grace_ns=2**63 - 1, delta_stage_ns=0, delta_resend_ns=200_000_000),
    offchain(max_duration_query_ns=4 * NS_PER_S - 200_000_001),
    offchain(r_max=254, max_duration_initialization_ns=None),
]


@pytest.mark.parametrize(
    ("config", "field"),
    [
        *REFUSED,
        # The contract refuses these two, and a number that libocr would read as another one is not left to it.
        (replace(MADE, f=0), "f"),
        (replace(MADE, f=-1), "f"),
        (offchain(r_max=257), "rMax"),
        (offchain(max_duration_initialization_ns=2**63), "maxDurationInitialization"),
        (offchain(median=replace(MADE.offchain.median, alpha_report_ppb=2**64)), "alphaReportPPB"),
        (offchain(median=replace(MADE.offchain.median, alpha_accept_ppb=-1)), "alphaAcceptPPB"),
    ],
)
def test_what_breaks_a_rule_is_refused(config: Ocr2Config, field: str) -> None:
    """A configuration that breaks one rule of the nodes or of the contract is refused, naming the field."""
    with pytest.raises(InvalidOcrConfig):
        check(config)

    assert field in {flaw.field for flaw in flaws(config)}


@pytest.mark.parametrize("config", BORNE)
def test_what_nodes_bear_is_borne(config: Ocr2Config) -> None:
    """The edges of the rules are allowed."""
    check(config)


@pytest.mark.parametrize("count", [0, 3, 5])
def test_a_secret_for_each_oracle(count: int) -> None:
    """The secret must be encrypted for each oracle, no fewer and no more."""
    with pytest.raises(InvalidOcrConfig) as caught:
        check(MADE, replace(_SEALED, encryptions=(bytes(16),) * count))

    assert "encryptions" == caught.value.field
    check(MADE, _SEALED)


def test_differences_name_what_the_plugin_reads() -> None:
    """A difference within the plugin's part is told by its own name, and lists are told by their members."""
    other = replace(offchain(median=replace(MADE.offchain.median, alpha_report_ppb=6)), signers=MADE.signers[::-1])

    assert () == config_differences(MADE, MADE)
    assert ("signers are in another order than ours", "alpha_report_ppb is 6, ours 5000000") == config_differences(
        other, MADE
    )
