"""Every decoder of what strangers send: whatever the bytes are, it returns or raises its package's own error."""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle.ocr.decoders import DECODERS

EXAMPLES = 150
RUNS = 40_000
SEED = 20
NUMBERS = (0, 1, 31, 32, 255, 2**31, 2**63, 2**64 - 1, 2**255, 2**256 - 1)


@st.composite
def spoiled(draw: st.DrawFn, good: Sequence[bytes]) -> bytes:
    """Return noise, or good bytes after some edits: the closer to good ones, the deeper a decoder goes."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=400))
    raw = bytearray(draw(st.sampled_from(good)))
    for _ in range(draw(st.integers(0, 4))):
        at, length = draw(st.integers(0, len(raw))), draw(st.integers(0, 40))
        match draw(st.sampled_from(("set", "cut", "repeat", "insert", "end", "number", "word"))):
            case "set":
                raw[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "cut":
                del raw[at : at + length]
            case "repeat":
                raw[at:at] = raw[at : at + length]
            case "insert":
                raw[at:at] = draw(st.binary(max_size=40))
            case "end":
                del raw[at:]
            case "number":
                raw[at : at + 8] = draw(st.sampled_from(NUMBERS)).to_bytes(32, "big")[-8:]
            case "word":
                start = at // 32 * 32
                raw[start : start + 32] = draw(st.sampled_from(NUMBERS)).to_bytes(32, "big")
    return bytes(raw)


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_decoder_bears_anything(name: str, data: st.DataObject) -> None:
    """A decoder takes any bytes: it returns, or raises the one error that its caller expects."""
    decode, refusal, good = DECODERS[name]
    raw = data.draw(spoiled(good))
    with suppress(refusal):
        decode(raw)


@pytest.mark.parametrize("name", DECODERS)
def test_good_bytes_are_taken(name: str) -> None:
    """What the fuzzer starts from is accepted, so that its edits reach every corner."""
    decode, _, good = DECODERS[name]
    for raw in good:
        decode(raw)


def test_decoders_bear_a_guided_fuzzer(tmp_path: Path) -> None:
    """A fuzzer that sees which lines its bytes reach, and changes them to reach others, finds no other error."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for index, (_, _, good) in enumerate(DECODERS.values()):
        for number, raw in enumerate(good):
            (corpus / f"{index}-{number}").write_bytes(bytes([index]) + raw)
    command = [sys.executable, "-m", "tests.oracle.ocr.fuzzing", f"-runs={RUNS}", f"-seed={SEED}", "-max_len=4096"]
    command += [f"-artifact_prefix={tmp_path}/", "-timeout=10", "-verbosity=1", str(corpus)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)

    assert 0 == run.returncode, (run.stdout + run.stderr)[-4000:]
    assert f"Done {RUNS} runs" in run.stderr
