"""The rules of a configuration, each with the field it names."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr.config_rules import check
from chainlink.ocr.contract_config import OcrConfig
from chainlink.ocr.shared_secret import SharedSecretEncryptions
from chainlink.units import NS_PER_S
from tests.chainlink.ocr.made import made_config

_MADE = made_config()
_SEALED = SharedSecretEncryptions(bytes(32), bytes(32), (bytes(16),) * 4)


def _offchain(**changes: object) -> OcrConfig:
    return replace(_MADE, offchain=replace(_MADE.offchain, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (replace(_MADE, version=2), "encodedConfigVersion"),
        (replace(_MADE, f=-1), "f"),
        (replace(_MADE, f=0), "f"),
        (replace(_MADE, f=2), "f"),
        (replace(made_config(3), f=0), "f"),
        (replace(made_config(3), f=1), "f"),
        (replace(made_config(6), f=2), "f"),
        (replace(_MADE, transmitters=_MADE.transmitters[:3]), "transmitters"),
        (replace(_MADE, transmitters=_MADE.transmitters[:3] + _MADE.transmitters[:1]), "transmitters[3]"),
        (replace(_MADE, signers=_MADE.signers[:3] + _MADE.signers[:1]), "signers[3]"),
        (replace(_MADE, transmitters=_MADE.signers), "transmitters[0]"),
        (_offchain(offchain_public_keys=()), "offchainPublicKeys"),
        (_offchain(peer_ids=_MADE.offchain.peer_ids[1:]), "peerIDs"),
        (_offchain(peer_ids=()), "peerIDs"),
        (_offchain(delta_c_ns=-1), "deltaC"),
        (_offchain(delta_c_ns=2**63), "deltaC"),
        (_offchain(delta_stage_ns=-1), "deltaStage"),
        (_offchain(delta_resend_ns=-1), "deltaResend"),
        (_offchain(delta_grace_ns=-1), "deltaGrace"),
        (_offchain(delta_grace_ns=2 * NS_PER_S), "deltaGrace"),
        (_offchain(delta_round_ns=5 * NS_PER_S), "deltaRound"),
        (_offchain(r_max=0), "rMax"),
        (_offchain(r_max=255), "rMax"),
        (_offchain(alpha_ppb=-1), "alphaPPB"),
        (_offchain(alpha_ppb=2**64), "alphaPPB"),
        (_offchain(s=(1,) * 1000), "s"),
        (_offchain(s=(1, 32)), "s[1]"),
        (made_config(32), "signers"),
    ],
)
def test_what_breaks_a_rule_is_refused(config: OcrConfig, field: str) -> None:
    """A configuration that breaks one rule of the nodes or of the contract is refused, naming the field."""
    with pytest.raises(InvalidOcrConfig) as caught:
        check(config)

    assert field == caught.value.field


@pytest.mark.parametrize("count", [0, 3, 5])
def test_a_secret_for_each_oracle(count: int) -> None:
    """The secret must be encrypted for each oracle, no fewer and no more."""
    with pytest.raises(InvalidOcrConfig) as caught:
        check(_MADE, replace(_SEALED, encryptions=(bytes(16),) * count))

    assert "encryptions" == caught.value.field
    check(_MADE, _SEALED)


@given(st.integers(1, 31), st.integers(0, 11))
@settings(deadline=None)
def test_how_many_may_be_faulty(n: int, f: int) -> None:
    """The contract's rule holds for every number of oracles: at least one may be faulty, and less than a third."""
    config = replace(made_config(n), f=f)
    if 1 <= f and 3 * f < n:
        check(config)
        return
    with pytest.raises(InvalidOcrConfig, match=r"^f: found"):
        check(config)


@pytest.mark.parametrize(
    "config",
    [
        _MADE,
        _offchain(s=()),
        _offchain(s=(31,)),
        _offchain(s=(0,) * 999),
        _offchain(delta_c_ns=0, delta_stage_ns=0, delta_resend_ns=0, delta_grace_ns=0),
        _offchain(r_max=254, alpha_ppb=2**64 - 1, delta_c_ns=2**63 - 1),
        _offchain(peer_ids=("a",) * 4),
    ],
)
def test_what_nodes_bear_is_borne(config: OcrConfig) -> None:
    """The edges of the rules are allowed, and so is what is foolish but stops no oracle."""
    check(config)
