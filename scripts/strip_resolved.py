"""
Remove every download address from an npm lock file: each machine asks its own registry, the integrity hashes decide.

(npm's own option for this drops whole entries of packages made for other platforms, so it cannot be used.)
"""

import json
import sys
from pathlib import Path

path = Path(sys.argv[1])
lock = json.loads(path.read_text())
for package in lock["packages"].values():
    package.pop("resolved", None)
path.write_text(json.dumps(lock, indent=2) + "\n")
