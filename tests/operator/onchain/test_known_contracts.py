import json
import stat
from pathlib import Path

import pytest

from meshkit import atomic_file
from services.operator.errors import UnreadableState
from services.operator.onchain.known_contracts import KnownContract, KnownContracts

_RECORD = KnownContract("0x" + "1" * 40, "ab" * 16)


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "operator" / "feeds.json"


def test_records_outlive_the_process(path: Path) -> None:
    """What was put is there for the next one that opens the file, which only the owner can read."""
    KnownContracts(path, 1337).put("BTC / USD", _RECORD)

    assert {"BTC / USD": _RECORD} == KnownContracts(path, 1337).records
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_only_addresses_are_worth_waiting_for_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of addresses is flushed to the disk once, and a configuration, which the chain has, not at all."""
    flushed: list[bool] = []
    replace_file = atomic_file.replace

    def noted(file: Path, content: bytes, mode: int, *, durable: bool = True) -> None:
        flushed.append(durable)
        replace_file(file, content, mode, durable=durable)

    monkeypatch.setattr(atomic_file, "replace", noted)
    store = KnownContracts(path, 1337)
    made = {f"F{index} / USD": KnownContract(f"0x{index:040x}") for index in range(3)}
    store.put_all(made)
    store.put("F1 / USD", KnownContract(made["F1 / USD"].address, "ab" * 16, 1))
    store.put_all(made | {"F1 / USD": KnownContract(made["F1 / USD"].address, "ab" * 16, 1)})

    assert [True, False] == flushed
    assert 3 == len(KnownContracts(path, 1337).records)


def test_forgotten_records_are_gone(path: Path) -> None:
    """A forgotten record is gone from the file, and forgetting it twice is fine."""
    store = KnownContracts(path, 1337)
    store.put("BTC / USD", _RECORD)
    store.forget("BTC / USD")
    store.forget("BTC / USD")

    assert {} == KnownContracts(path, 1337).records


def test_another_chains_records_are_not_used(path: Path) -> None:
    """Addresses of one chain mean nothing on another, and are still there after a time on it."""
    KnownContracts(path, 1337).put("BTC / USD", _RECORD)
    other = KnownContracts(path, 31337)
    assert {} == other.records
    other.put("ETH / USD", _RECORD)

    assert {"BTC / USD": _RECORD} == KnownContracts(path, 1337).records


def test_an_earlier_versions_file_is_taken_over_once(path: Path, tmp_path: Path) -> None:
    """Where there is no file yet, that of an earlier version becomes it; later it is not looked at."""
    earlier = tmp_path / "feeds.json"
    record = {"address": _RECORD.address, "configDigest": _RECORD.config_digest}
    earlier.write_text(json.dumps({"format": 1, "chainId": 1337, "feeds": {"BTC / USD": record}}))

    assert {"BTC / USD": _RECORD} == KnownContracts(path, 1337, earlier=[tmp_path / "none", earlier]).records
    earlier.write_text("{")
    assert {"BTC / USD": _RECORD} == KnownContracts(path, 1337, earlier=[earlier]).records


def test_putting_the_same_writes_nothing(path: Path) -> None:
    """A record that did not change does not touch the file."""
    store = KnownContracts(path, 1337)
    store.put("BTC / USD", _RECORD)
    before = path.stat().st_ino
    store.put("BTC / USD", _RECORD)

    assert before == path.stat().st_ino


@pytest.mark.parametrize("content", ["", "{", "[]", '{"chainId":1337}', '{"chainId":1337,"feeds":{"a":{}}}'])
def test_a_damaged_file_is_an_error_that_says_what_to_do(path: Path, content: str) -> None:
    """A damaged file is named and left alone: deploying anew in silence would leave consumers on dead contracts."""
    path.parent.mkdir()
    path.write_text(content)

    with pytest.raises(UnreadableState, match=r"feeds\.json: .* restore it, or delete it"):
        KnownContracts(path, 1337)
    assert content == path.read_text()
