"""`feedmesh keys verify`: whether all key files can be used."""

from pathlib import Path

from chainlink.identities.verification import verify
from cli.json_output import print_json
from cli.keys import deployment


def show(config: Path, as_json: bool) -> int:
    """Decrypt every key file of the nodes and say what is wrong; return 1 if something is."""
    ours = deployment.of(config)
    found = verify(ours.directories, ours.bootstrap_nodes, ours.keystore_password)
    faulty = [each for each in found if each.problem]
    if as_json:
        files = [
            {"node": each.index, "file": str(each.path), "key": each.key_id, "problem": each.problem} for each in found
        ]
        print_json({"ok": not faulty, "files": files})
        return 1 if faulty else 0
    for each in found:
        print("  ".join(filter(None, (str(each.path), each.key_id, each.problem or "ok"))))
    print(f"{len(found)} files, {len(faulty)} with a fault")
    return 1 if faulty else 0
