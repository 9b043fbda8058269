"""The feed contract's interface: what we believe of it is what the compiler made of its source."""

import pytest

from chainlink.contract import aggregator
from chainlink.contract.abi_codec import AbiCodec, Event, Function
from chainlink.contract.artifact import load

_COMPILED = AbiCodec(load("OffchainAggregator"))
_FUNCTIONS = [value for value in vars(aggregator).values() if isinstance(value, Function)]
_EVENTS = [value for value in vars(aggregator).values() if isinstance(value, Event)]


@pytest.mark.parametrize("function", _FUNCTIONS, ids=lambda function: function.name)
def test_functions_are_the_contracts(function: Function) -> None:
    """Each function has the arguments and results that the compiled contract has."""
    compiled = _COMPILED.functions[function.name]

    assert compiled.inputs == function.inputs
    assert compiled.outputs == function.outputs


@pytest.mark.parametrize("event", _EVENTS, ids=lambda event: event.name)
def test_events_are_the_contracts(event: Event) -> None:
    """Each event has the fields that the compiled contract has, by name, type and place."""
    assert _COMPILED.events[event.name] == event


def test_all_are_looked_at() -> None:
    """The module's functions and events are found by these tests."""
    assert {"latestConfigDetails", "transmit", "setConfig"} <= {function.name for function in _FUNCTIONS}
    assert {"ConfigSet", "NewTransmission", "RoundRequested"} == {event.name for event in _EVENTS}
