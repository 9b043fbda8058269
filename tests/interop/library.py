"""Asking the Go program what libocr makes of an OCR2 configuration, and recording its answers as vectors."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from chainlink.ocr2.contract_config import Ocr2Config
from chainlink.ocr2.median_config import AnswerRange, MedianConfig
from tests.chainlink.ocr2.made import in_json, in_numbers, made_ocr2_config, on_chain

CONTRACT = "0x00000000000000000000000000000000000000C0"
_CHAINS = (1, 1337, 5611)


def ask(program: Path, command: str, question: dict[str, Any]) -> Any:
    """Return the program's answer to a question, both as JSON."""
    done = subprocess.run(
        (program, command), input=json.dumps(question), capture_output=True, text=True, timeout=60, check=True
    )
    return json.loads(done.stdout)


def configurations() -> list[Ocr2Config]:
    """Return configurations in which every field has several values."""
    small, large = made_ocr2_config(4), made_ocr2_config(31)
    changed = replace(
        made_ocr2_config(7).offchain,
        s=(1, 2, 2, 2),
        median=MedianConfig(True, 2**64 - 1, False, 0, 2**63 - 1),
        max_duration_initialization_ns=None,
        max_duration_query_ns=3,
        r_max=254,
    )
    extreme = replace(made_ocr2_config(7), offchain=changed, answers=AnswerRange(-(2**191), 2**191 - 1))
    return [small, large, extreme]


def record(program: Path) -> list[dict[str, Any]]:
    """Return what the library writes and reads of each configuration: settings, event and digest by chain."""
    vectors = []
    for config in configurations():
        settings = in_numbers(config, with_scalars=True)
        made = ask(program, "encode2", settings)
        event = on_chain(made, CONTRACT, 3)
        digests = {str(chain): ask(program, "decode2", in_json(event, chain))["digest"] for chain in _CHAINS}
        vectors.append({"settings": settings, "event": made, "contract": CONTRACT, "count": 3, "digests": digests})
    return vectors


if __name__ == "__main__":
    sys.stdout.write(json.dumps(record(Path(sys.argv[1])), indent=1) + "\n")
