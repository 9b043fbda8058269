"""What key files say in clear."""

import shutil
from pathlib import Path

import pytest

from chainlink.errors import UnreadableKeyFile
from chainlink.identities import public_keys
from chainlink.identities.public_keys import PublicKeys

VECTORS = Path(__file__).parents[2] / "vectors" / "keys"
EVM = "0xb2120143da57569d36558B36A532E3a96F5e43b3"
SIGNER = "0x6D8B527896615e2D73cBEBD87B6Ba1e055761C4C"


@pytest.fixture(name="nodes")
def _nodes(tmp_path: Path) -> Path:
    """Give a directory with the keys of one node that another implementation wrote."""
    shutil.copytree(VECTORS, tmp_path / "cl-secrets" / "3")
    return tmp_path / "cl-secrets"


def test_all_public_parts_are_read_without_a_password(nodes: Path) -> None:
    """Addresses have their checksum, ids and keys no prefix."""
    expected = PublicKeys(
        index=3,
        transmitter_address=EVM,
        peer_id="12D3KooWEPQwY5VuK7m6GfFujirKAs7kJQ7QCeDLqFJFrRRTXQDR",
        bundle_id="8a7da57bc2c693142e0e50650b3b944043519d49797545f7dcc0b2e96fba8d1e",
        signing_address=SIGNER,
        offchain_public_key="c4fbed4b3dbcbbae6b17ce3565500a52d7985baf561dbdefdcd8fc7da645ed0b",
        config_public_key="fce37199256b13f89e07a15e12a4f3b05b0cf28fb4898fbfa7cfae16c2f1d43f",
    )

    assert expected == public_keys.read(nodes / "3", 3)
    assert PublicKeys(4) == public_keys.read(nodes / "4", 4)


def test_addresses_of_every_node_and_of_retired_keys(nodes: Path) -> None:
    """The addresses of all directories count, of retired keys too; what is no key file and no node's is passed over."""
    retired = nodes / "5" / "retired"
    retired.mkdir(parents=True)
    (nodes / "3" / "evm_key.json").rename(retired / "20260101T000000Z-evm_key.json")
    (nodes / "contracts.json").write_text('{"address": "0x1111111111111111111111111111111111111111"}')
    (nodes / "3" / "evm_key.json").write_text("{")
    (nodes / "notes").mkdir()

    assert {EVM.lower(), SIGNER.lower()} == public_keys.addresses(nodes)
    assert [3, 5] == list(public_keys.directories(nodes))


def test_a_file_that_is_none_is_named(nodes: Path) -> None:
    """A damaged file is an error that names it."""
    (nodes / "3" / "p2p_key.json").write_text("[]")

    with pytest.raises(UnreadableKeyFile, match=r"3/p2p_key\.json: not a JSON object"):
        public_keys.read(nodes / "3", 3)
