"""
Fuzz all decoders in one process: `python -m tests.oracle.ocr.fuzzing [options of libFuzzer] CORPUS`.

The first byte of an input chooses the decoder. An error that is not the decoder's own ends the process; the input
that did it is left behind, and `python -m tests.oracle.ocr.fuzzing FILE` runs it again.
"""

import sys
from contextlib import suppress

import atheris  # type: ignore[import-untyped]  # it has no annotations

with atheris.instrument_imports(include=["chainlink", "services.oracle.ocr", "services.oracle.p2p"]):
    from tests.oracle.ocr.decoders import DECODERS

_DECODERS = tuple(DECODERS.values())


def decode(data: bytes) -> None:
    """Give one input to the decoder that its first byte names."""
    if not data:
        return
    run, refusal, _ = _DECODERS[data[0] % len(_DECODERS)]
    with suppress(refusal):
        run(data[1:])


if __name__ == "__main__":
    atheris.Setup(sys.argv, decode)
    atheris.Fuzz()
