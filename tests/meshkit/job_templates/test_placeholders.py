"""Placeholders of job templates."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.job_templates.placeholders import JobValues, filled, unknown_in

VALUES = JobValues("0xC0", 5611, False, "12D3Own", ("12D3A@h:1", "12D3B@h:2"), "b1", "0xE0", 3000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a = "$JOB_CA"', "0xC0"),
        ('a = "${JOB_CA}"', "0xC0"),
        ("a = '$JOB_CA'", "0xC0"),
        ("a = $JOB_CA", "0xC0"),
        ("a = $EVM_CHAIN_ID", 5611),
        ('a = "$EVM_CHAIN_ID"', "5611"),
        ("a = $IS_BOOTSTRAP", False),
        ('a = "$IS_BOOTSTRAP"', "false"),
        ("a = $P2P_BOOTSTRAP_PEERS", ["12D3A@h:1", "12D3B@h:2"]),
        ("a = [$P2P_BOOTSTRAP_PEERS]", ["12D3A@h:1", "12D3B@h:2"]),
        ('a = ["$P2P_BOOTSTRAP_PEERS"]', ["12D3A@h:1", "12D3B@h:2"]),
        ("a = ['$P2P_BOOTSTRAP_PEERS']", ["12D3A@h:1", "12D3B@h:2"]),
        ('a = "p2p_$P2P_PEER_ID"', "p2p_12D3Own"),
    ],
)
def test_a_value_is_written_as_its_place_demands(text: str, expected: object) -> None:
    """Inside quotes and pipelines it stands as it is, elsewhere as a value of TOML."""
    assert expected == tomllib.loads(filled(text, VALUES))["a"]


@pytest.mark.parametrize("quotes", ['"""', "'''"])
def test_a_pipeline_keeps_what_tasks_ask_of_each_other(quotes: str) -> None:
    """In a pipeline only placeholders are replaced, and `$(x)` is none."""
    text = f'a = {quotes}x [url="http://h:$PRICE_AGGREGATOR_PORT/q"]; y [input="$(x)"]{quotes}'

    assert 'x [url="http://h:3000/q"]; y [input="$(x)"]' == tomllib.loads(filled(text, VALUES))["a"]


def test_unknown_placeholders_are_told() -> None:
    """Names that nothing takes the place of are found, and results of tasks are none."""
    assert ("OTHER", "X") == unknown_in('$OTHER $JOB_CA ${X} $(task) "$OTHER"')


@given(st.text(alphabet="ab\"'\n=[]$({})", max_size=60))
def test_a_text_without_placeholders_stays(text: str) -> None:
    """Nothing else of a template changes, whatever quotes it has."""
    assert text == filled(text, VALUES)
