"""Reading the creation code of a contract that is not ours."""

from pathlib import Path

import pytest

from services.operator.errors import UnreadableCode
from services.operator.onchain.configuration import creation_code


@pytest.mark.parametrize(
    "text", ["0x60ff", "60FF\n", '{"abi": [], "bytecode": "0x60ff"}', '{"bytecode": {"object": "60ff"}}']
)
def test_forms(tmp_path: Path, text: str) -> None:
    """Digits alone, and the JSON of the usual compilers, give the same code."""
    path = tmp_path / "code"
    path.write_text(text)

    assert bytes.fromhex("60ff") == creation_code.read(path)


@pytest.mark.parametrize("text", ["", "0x", "0x6", "60__$aa$__ff", "{", "{}", '{"bytecode": {}}', '{"bytecode": 7}'])
def test_what_is_no_code(tmp_path: Path, text: str) -> None:
    """A file without code, or with code that is not linked, is refused by the setting's name and its own."""
    path = tmp_path / "code"
    path.write_text(text)

    with pytest.raises(UnreadableCode, match=r"ocr2CodeFile: .*code"):
        creation_code.read(path)


def test_no_file(tmp_path: Path) -> None:
    """A file that is not there is said to be missing."""
    with pytest.raises(UnreadableCode, match="No such file"):
        creation_code.read(tmp_path / "none")
