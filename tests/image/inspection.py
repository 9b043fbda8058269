"""What can be seen from inside a container: processes, their users, sockets, and which secrets a user can read."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from tests.image.mesh import SECRETS, Mesh

# Run inside with the container's own Python: one look at every process.
_PROCESSES = """
import json, os, pwd, sys
found = []
for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
    try:
        uid = os.stat(f"/proc/{pid}").st_uid
        words = open(f"/proc/{pid}/cmdline", "rb").read().decode(errors="replace").split("\\0")
        environ = open(f"/proc/{pid}/environ", "rb").read().decode(errors="replace")
        parent = int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        continue
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    found.append({"pid": pid, "parent": parent, "user": user, "words": words, "environ": environ})
json.dump(found, sys.stdout)
"""
# Run inside as root: every file that has one of the marks, and every socket.
_MARKED = """
import json, os, stat, sys
marks = [mark.encode() for mark in json.loads(sys.argv[1])]
found = []
for top in ("/sp", "/run", "/tmp", "/var", "/etc"):
    for directory, _, names in os.walk(top):
        for name in names:
            path = os.path.join(directory, name)
            try:
                mode = os.lstat(path).st_mode
                if stat.S_ISSOCK(mode) or stat.S_ISREG(mode) and any(mark in open(path, "rb").read() for mark in marks):
                    found.append(path)
            except FileNotFoundError:
                continue
json.dump(found, sys.stdout)
"""
# Run inside as one user: those of the paths that it can read or connect to.
_REACHED = """
import json, os, socket, stat, sys
found = []
for path in json.loads(sys.argv[1]):
    try:
        if stat.S_ISSOCK(os.stat(path).st_mode):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(2)
                client.connect(path)
        else:
            open(path, "rb").close()
    except OSError:
        continue
    found.append(path)
json.dump(found, sys.stdout)
"""
# Run inside as one user: the files of other users, but for root, that it can read.
_FOREIGN = """
import json, os, stat, sys
found = []
for top in ("/sp", "/run", "/tmp", "/var"):
    for directory, _, names in os.walk(top):
        for name in names:
            path = os.path.join(directory, name)
            try:
                status = os.lstat(path)
                if not stat.S_ISREG(status.st_mode) or status.st_uid in (0, os.geteuid()):
                    continue
                open(path, "rb").close()
            except OSError:
                continue
            found.append(path)
json.dump(found, sys.stdout)
"""
_LISTENING = "0A"  # the state LISTEN in /proc/net/tcp


@dataclass(frozen=True, slots=True)
class Process:
    """A process of the container."""

    pid: int
    parent: int
    user: str
    words: Sequence[str]
    environ: str


def processes(mesh: Mesh) -> list[Process]:
    """Return every process of the container but the one that looks."""
    ran = mesh.inside.exec("python3", "-c", _PROCESSES, privileged=True)
    return [Process(**found) for found in json.loads(ran.stdout) if _PROCESSES not in found["words"]]


def users(mesh: Mesh) -> dict[str, str]:
    """Return the user of each service's first process, and of the processes above them."""
    by_pid = {process.pid: process.user for process in processes(mesh)}
    running = {name: by_pid[service["pid"]] for name, service in mesh.services().items() if service["pid"] in by_pid}
    return {"first process": by_pid[1], **running}


def listening_addresses(mesh: Mesh) -> set[str]:
    """Return the addresses of all listening TCP sockets of the container's network namespace."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in mesh.inside.exec("cat", f"/proc/net/{table}").stdout.splitlines()[1:]:
            words = line.split()
            if words[3] == _LISTENING:
                number = words[1].split(":")[0]
                found.add(".".join(str(byte) for byte in reversed(bytes.fromhex(number))) if table == "tcp" else number)
    return found


def secrets_in(text: str) -> list[str]:
    """Return the names of the secrets that stand in a text."""
    return [name for name, secret in SECRETS.items() if secret in text or secret.removeprefix("0x") in text]


def secrets_in_processes(mesh: Mesh) -> list[str]:
    """Return which processes show a secret in their command line or environment, and which."""
    return [
        f"{process.pid} {process.words[:4]}: {names}"
        for process in processes(mesh)
        if (names := secrets_in("\0".join(process.words) + process.environ))
    ]


def reached(mesh: Mesh, user: str, marks: Sequence[str]) -> list[str]:
    """Return the files with one of the marks that a user can read, and the sockets it can connect to."""
    marked = mesh.inside.exec("python3", "-c", _MARKED, json.dumps(list(marks)), privileged=True).stdout
    assert json.loads(marked), "nothing has a mark, so nothing was tried"
    found: list[str] = json.loads(mesh.inside.exec("python3", "-c", _REACHED, marked, user=user).stdout)
    return found


def foreign_files(mesh: Mesh, user: str) -> list[str]:
    """Return the files of other users than this one and root that it can read."""
    found: list[str] = json.loads(mesh.inside.exec("python3", "-c", _FOREIGN, user=user).stdout)
    return found
