"""`feedmesh keys rotate`: new keys for one node."""

from datetime import UTC, datetime
from pathlib import Path

from chainlink.identities import key_changes
from chainlink.identities.key_files import EVM_FILE, OCR2_FILE, OCR_FILE, P2P_FILE
from cli.errors import UsageError
from cli.json_output import print_json
from cli.keys import deployment

_NAMES = {"evm": EVM_FILE, "p2p": P2P_FILE, "ocr": OCR_FILE, "ocr2": OCR2_FILE}
_FOLLOWS = {
    EVM_FILE: "its contracts' transmitter changes; what money is left stays on the old address, whose key is kept",
    P2P_FILE: "its peer id changes in every contract's configuration, and in the files of the other nodes",
    OCR_FILE: "its contracts' signer and keys change",
    OCR2_FILE: "its OCR2 contracts' signer and keys change",
}
_WHO = (
    "At the next start the operator writes the new configuration (setConfig) into every feed's contract that belongs "
    "to its account; of another contract the owner must do it, until when the feed runs without this node or not at "
    "all. Rounds pause for some seconds while nodes take the new configuration."
)


def rotate(config: Path, node: int, kinds: list[str], as_json: bool) -> None:
    """Make new keys of the given kinds for a node and say what follows. Raises UsageError for a kind it has not."""
    ours = deployment.of(config)
    directory = ours.directory(node)
    is_oracle, has_ocr2 = node > ours.bootstrap_nodes, (directory / OCR2_FILE).exists()
    for kind in kinds:
        allowed = [name for name in _NAMES if {"ocr": is_oracle, "ocr2": is_oracle and has_ocr2}.get(name, True)]
        if kind not in allowed:
            raise UsageError(f"--kind: found {kind!r}, allowed: {', '.join(allowed)}")
    names = tuple(dict.fromkeys(_NAMES[kind] for kind in kinds))
    at = datetime.now(UTC)
    with ours.sole_use():
        made = key_changes.rotate(directory, names, ours.keystore_password, ours.scrypt_n, at)
    # A bootstrap node stands in no contract, and its account sends nothing.
    follows = [_FOLLOWS[each.name] for each in made] if node > ours.bootstrap_nodes else []
    if as_json:
        rotated = [
            {"file": str(directory / each.name), "before": each.old_id, "key": each.new_id, "kept": str(each.kept)}
            for each in made
        ]
        print_json({"rotated": rotated, "follows": [*follows, _WHO] if follows else []})
        return
    for each in made:
        print(f"{directory / each.name}  {each.old_id} → {each.new_id}; the old one is kept in {each.kept}")
    for line in follows:
        print(f"  {line}")
    if follows:
        print(_WHO)
