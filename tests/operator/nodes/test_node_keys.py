"""Keys that are made once and then only read."""

from dataclasses import replace
from pathlib import Path

import pytest

from meshkit.errors import FailedPrecondition
from services.operator.config import OperatorConfig
from services.operator.errors import UnreadableKeyFile
from services.operator.nodes import prepare_nodes
from services.operator.nodes.prepare_nodes import Preparation


@pytest.fixture(name="prepared")
async def _prepared(config: OperatorConfig) -> Preparation:
    """Give five nodes whose files are where the configuration says."""
    return await prepare_nodes.prepare(config)


def _contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


async def test_a_missing_key_is_made_and_the_others_kept(config: OperatorConfig, prepared: Preparation) -> None:
    """If one key file is gone, only that key is made anew."""
    (config.data.node(3) / "ocr_key.json").unlink()
    again = await prepare_nodes.prepare(config)

    assert 1 == again.created_keys
    before, after = prepared.identities[2], again.identities[2]
    assert (before.peer_id, before.transmitter_address) == (after.peer_id, after.transmitter_address)
    assert before.ocr != after.ocr


async def test_a_wrong_password_names_the_file_and_overwrites_nothing(
    config: OperatorConfig, prepared: Preparation
) -> None:
    """With another keystore password the preparation fails, names a key file and leaves every byte as it is."""
    before = _contents(config.data.path)
    wrong = replace(config, credentials=replace(config.credentials, keystore_password="another-password-16"))

    with pytest.raises(FailedPrecondition, match=r"nodes/1/evm_key\.json: the password is wrong"):
        await prepare_nodes.prepare(wrong)
    assert before == _contents(config.data.path)


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"{}"])
async def test_a_damaged_key_file_is_left_alone(config: OperatorConfig, prepared: Preparation, damage: bytes) -> None:
    """A damaged key file is an error that names it, also when another key of the node is missing."""
    path = config.data.node(2) / "p2p_key.json"
    path.write_bytes(damage)
    (config.data.node(2) / "evm_key.json").unlink()

    with pytest.raises(UnreadableKeyFile, match=r"nodes/2/p2p_key\.json"):
        await prepare_nodes.prepare(config)
    assert damage == path.read_bytes()
    assert not (config.data.node(2) / "evm_key.json").exists()
