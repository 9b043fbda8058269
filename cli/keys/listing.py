"""`feedmesh keys list` and `show`: the public halves of the nodes' keys."""

from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from chainlink.identities import public_keys
from chainlink.identities.public_keys import PublicKeys
from cli.json_output import print_json
from cli.keys import deployment


def show_all(config: Path, as_json: bool) -> None:
    """List all nodes, also those whose keys are kept but that do not run."""
    ours = deployment.of(config)
    directories = dict(sorted({**ours.directories, **public_keys.directories(ours.secrets.nodes)}.items()))
    nodes = [public_keys.read(directory, index) for index, directory in directories.items()]
    roles = {node.index: _role(node.index, ours) for node in nodes}
    if as_json:
        listed = [{"role": roles[node.index], **asdict(node)} for node in nodes]
        print_json({"directory": str(ours.secrets.nodes), "nodes": listed})
        return
    table = Table("node", "role", "transmitter", "signer", "peer id", "bundle", box=None, pad_edge=False)
    for node in nodes:
        table.add_row(
            *(str(node.index), roles[node.index], node.transmitter_address, node.signing_address),
            *(node.peer_id, node.bundle_id[:8]),
        )
    # A table as wide as its longest row: ids are copied from it.
    Console(width=200).print(table)


def show(config: Path, node: int, as_json: bool) -> None:
    """Show everything public of one node's keys."""
    ours = deployment.of(config)
    found = public_keys.read(ours.directory(node), node)
    if as_json:
        print_json({"role": _role(node, ours), "directory": str(ours.directory(node)), **asdict(found)})
        return
    for name, value in _lines(found, ours.directory(node), _role(node, ours)):
        print(f"{name:<20} {value or '–'}")


def _lines(node: PublicKeys, directory: Path, role: str) -> list[tuple[str, str]]:
    return [
        ("node", str(node.index)),
        ("role", role),
        ("directory", str(directory)),
        ("transmitter", node.transmitter_address),
        ("peer id", node.peer_id),
        ("OCR key bundle", node.bundle_id),
        ("signer", node.signing_address),
        ("off-chain key", node.offchain_public_key),
        ("configuration key", node.config_public_key),
        *_ocr2_lines(node),
    ]


def _ocr2_lines(node: PublicKeys) -> list[tuple[str, str]]:
    if not node.ocr2_bundle_id:
        return []
    return [
        ("OCR2 key bundle", node.ocr2_bundle_id),
        ("OCR2 signer", node.ocr2_signing_address),
        ("OCR2 off-chain key", node.ocr2_offchain_public_key),
        ("OCR2 config key", node.ocr2_config_public_key),
    ]


def _role(index: int, ours: deployment.Deployment) -> str:
    if index > ours.nodes:
        return "not running"
    return "bootstrap" if index <= ours.bootstrap_nodes else "oracle"
