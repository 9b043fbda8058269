"""Which of the feed contracts stands at an address, by what it can be asked and by what it calls itself."""

from enum import Enum

from chainlink.contract import aggregator, aggregator_ocr2, split_config
from chainlink.contract.abi_codec import Function

TYPE_AND_VERSION = Function("typeAndVersion", (), ("string",))
_PUSH4 = b"\x63"
_OCR1_NAME = "OffchainAggregator"
_OCR2_NAME = "OCR2Aggregator"


class ContractShape(Enum):
    """How a feed's contract is configured; the value is what it is called in errors."""

    OCR1 = "of OCR1"
    SPLIT = "of OCR1 with a configuration in two parts"
    OCR2 = "of OCR2"

    @property
    def ocr_version(self) -> int:
        """Return the version of the protocol by which its oracles agree."""
        return 2 if self is ContractShape.OCR2 else 1


def shape_of(code: bytes, calls_itself: str) -> ContractShape | None:
    """
    Return the shape of a contract by its code, None if it is no feed contract that we can configure.

    What it calls itself with `typeAndVersion` (empty where it has no such function) must not contradict its functions:
    a selector that stands in the code by chance is no function.
    """
    by_functions = None
    if has_function(code, aggregator_ocr2.SET_CONFIG):
        by_functions = ContractShape.OCR2
    elif has_function(code, split_config.SET_CONSENSUS_CONFIG) and has_function(code, split_config.SET_CONFIG):
        by_functions = ContractShape.SPLIT
    elif has_function(code, aggregator.SET_CONFIG):
        by_functions = ContractShape.OCR1
    name = calls_itself.rpartition(" ")[0] or calls_itself
    said = 2 if name.endswith(_OCR2_NAME) else 1 if name.endswith(_OCR1_NAME) else None
    if by_functions is None or said not in (None, by_functions.ocr_version):
        return None
    return by_functions


def has_function(code: bytes, function: Function) -> bool:
    """Tell whether a contract's code compares calls with a function's selector."""
    return _PUSH4 + function.selector in code
