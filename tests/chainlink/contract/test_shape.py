"""Which contract stands at an address."""

import pytest

from chainlink.contract import aggregator, aggregator_ocr2, split_config
from chainlink.contract.abi_codec import Function
from chainlink.contract.artifact import load
from chainlink.contract.shape import ContractShape, shape_of

_OCR1 = "AccessControlledOffchainAggregator 4.0.0"
_OCR2 = "AccessControlledOCR2Aggregator 1.0.0"
_SPLIT = (split_config.SET_CONSENSUS_CONFIG, split_config.SET_CONFIG)


def _code(*functions: Function) -> bytes:
    return b"\x80" + b"\x80\x63".join(function.selector for function in (Function("x"), *functions))


@pytest.mark.parametrize(
    ("functions", "calls_itself", "shape"),
    [
        ((aggregator.SET_CONFIG,), _OCR1, ContractShape.OCR1),
        ((aggregator.SET_CONFIG,), "", ContractShape.OCR1),
        ((aggregator.SET_CONFIG,), "SomethingElse 1.0.0", ContractShape.OCR1),
        (_SPLIT, _OCR1, ContractShape.SPLIT),
        ((aggregator_ocr2.SET_CONFIG,), _OCR2, ContractShape.OCR2),
        ((aggregator_ocr2.SET_CONFIG,), "OCR2Aggregator 1.0.0", ContractShape.OCR2),
        ((aggregator_ocr2.SET_CONFIG,), _OCR1, None),
        ((aggregator.SET_CONFIG,), _OCR2, None),
        (_SPLIT[:1], _OCR1, None),
        ((), _OCR1, None),
    ],
)
def test_by_functions_and_name(functions: tuple[Function, ...], calls_itself: str, shape: ContractShape | None) -> None:
    """The functions in the code tell the shape, and the name must not contradict them."""
    assert shape is shape_of(_code(*functions), calls_itself)


def test_our_contract() -> None:
    """The contract that we compile is one of OCR1."""
    code = bytes.fromhex(load("OffchainAggregator").deployed_bytecode.removeprefix("0x"))

    assert ContractShape.OCR1 is shape_of(code, _OCR1)


def test_the_version_of_the_protocol() -> None:
    """The split variant is of OCR1: its nodes cannot tell it from the other."""
    assert {ContractShape.OCR1: 1, ContractShape.SPLIT: 1, ContractShape.OCR2: 2} == {
        shape: shape.ocr_version for shape in ContractShape
    }
