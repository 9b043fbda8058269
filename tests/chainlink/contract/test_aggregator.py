"""The feed contract's interface: what we believe of it is what the compiler made of its source."""

from typing import Any

import pytest

from chainlink.contract import aggregator
from chainlink.contract.artifact import load
from chainlink.contract.codec import Event, Field, Function

_ABI = load("OffchainAggregator").abi
_FUNCTIONS = [value for value in vars(aggregator).values() if isinstance(value, Function)]
_EVENTS = [value for value in vars(aggregator).values() if isinstance(value, Event)]


def _entry(kind: str, name: str) -> dict[str, Any]:
    (entry,) = [entry for entry in _ABI if entry["type"] == kind and entry["name"] == name]
    return entry


def _types(fields: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(field["type"] for field in fields)


@pytest.mark.parametrize("function", _FUNCTIONS, ids=lambda function: function.name)
def test_functions_are_the_contracts(function: Function) -> None:
    """Each function has the arguments and results that the compiled contract has."""
    entry = _entry("function", function.name)

    assert _types(entry["inputs"]) == function.inputs
    assert _types(entry["outputs"]) == function.outputs


@pytest.mark.parametrize("event", _EVENTS, ids=lambda event: event.name)
def test_events_are_the_contracts(event: Event) -> None:
    """Each event has the fields that the compiled contract has, by name, type and place."""
    fields = _entry("event", event.name)["inputs"]

    assert event.fields == tuple(Field(field["name"], field["type"], field["indexed"]) for field in fields)


def test_all_are_looked_at() -> None:
    """The module's functions and events are found by these tests."""
    assert {"latestConfigDetails", "transmit", "setConfig"} <= {function.name for function in _FUNCTIONS}
    assert {"ConfigSet", "NewTransmission", "RoundRequested"} == {event.name for event in _EVENTS}
