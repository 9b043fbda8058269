"""Build images and run containers with buildah and podman, in a storage of the tests' own."""

import json
import os
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

# Without these podman asks for more than a machine like this allows.
LIMITS = ("--ulimit", "nofile=8192:8192", "--ulimit", "nproc=4000:4000")
ROOT = Path(__file__).parents[2]


def cache_directory() -> Path:
    """Return where images and bases are kept between runs."""
    if configured := os.environ.get("FEEDMESH_IMAGE_CACHE"):
        return Path(configured)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "feedmesh" / "image"


def _storage() -> list[str]:
    cache = cache_directory()
    return ["--storage-driver=overlay", "--root", str(cache / "root"), "--runroot", str(cache / "run")]


def make_bases() -> None:
    """Make the base images if they are not there."""
    subprocess.run([ROOT / "scripts/image/bases", cache_directory()], check=True)


@cache
def commit() -> str:
    """Return the commit that this tree had when it was first asked for."""
    ran = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def build(tag: str, target: str, *options: str, context: Path = ROOT) -> None:
    """Build one target of the Dockerfile."""
    subprocess.run(
        [
            *("buildah", *_storage(), "bud", "--isolation", "chroot", "--pull=never", "--layers", "--quiet"),
            *("--format", "docker", "--target", target, "-t", tag, "--build-arg", f"COMMIT={commit()}"),
            *(*options, str(context)),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def podman(*words: str, check: bool = True, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    """Run one podman command and return what it wrote."""
    ran = subprocess.run(
        ["podman", *_storage(), "--runtime", "runc", "--cgroup-manager", "cgroupfs", *words],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
    )
    if check and ran.returncode != 0:
        raise AssertionError(f"podman {' '.join(words)}: exit {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return ran


def once(image: str, program: str, *words: str) -> str:
    """Run a program of an image to its end and return what it wrote."""
    options = ("--network", "none", "--no-healthcheck", *LIMITS, "--entrypoint", program)
    return podman("run", "--rm", *options, image, *words, timeout_s=300).stdout


@dataclass(frozen=True, slots=True)
class Container:
    """A container that was started; it is removed by whoever started it."""

    name: str

    def exec(
        self, *command: str, user: str = "0", privileged: bool = False, check: bool = True, timeout_s: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside; with `privileged` one that may look into every process."""
        rights = ("--privileged",) if privileged else ()
        return podman("exec", *rights, "--user", user, self.name, *command, check=check, timeout_s=timeout_s)

    def kill(self, pid: int, signal: str) -> None:
        """Send a signal to a process inside; the image has no kill program, but every shell has one built in."""
        self.exec("sh", "-c", f"kill -{signal} {pid}")

    def json(self, *command: str) -> Any:
        """Run a feedmesh command with --json inside and return what it says."""
        return json.loads(self.exec("feedmesh", *command, "--json").stdout)

    def log(self) -> str:
        """Return everything the container wrote."""
        ran = podman("logs", self.name)
        return ran.stdout + ran.stderr

    def inspect(self, template: str) -> str:
        """Return one field of the container's state."""
        return podman("inspect", "--format", template, self.name).stdout.strip()

    @property
    def running(self) -> bool:
        """Tell whether its first process lives."""
        return self.inspect("{{.State.Running}}") == "true"

    def wait(self, timeout_s: float) -> int:
        """Return the exit code once it has ended."""
        return int(podman("wait", self.name, timeout_s=timeout_s).stdout)

    def stop(self, grace_s: int) -> float:
        """Stop it as an orchestrator does and return the seconds it took."""
        started_s = time.monotonic()
        podman("stop", "--time", str(grace_s), self.name, timeout_s=grace_s + 60)
        return time.monotonic() - started_s

    def health(self) -> tuple[int, str]:
        """Run the image's health check and return its exit code and its line."""
        # podman's own `healthcheck run` keeps the line to itself.
        command = json.loads(podman("inspect", "--format", "{{json .Config.Healthcheck.Test}}", self.name).stdout)
        ran = self.exec(*command[1:], check=False)
        return ran.returncode, ran.stdout.strip()

    def remove(self) -> None:
        """End it at once and forget it."""
        podman("rm", "--force", "--volumes", self.name, check=False)


def run(
    image: str,
    *command: str,
    options: Sequence[str] = (),
    network: Container | None = None,
    volumes: Mapping[Path, str] | None = None,
    name: str | None = None,
) -> Container:
    """
    Start a container without a network but loopback, or in the network namespace of another one, as in a pod.

    `volumes` maps directories of this machine to `/path[:options]` inside.
    """
    name = name or f"feedmesh-test-{uuid.uuid4().hex[:12]}"
    mounts = [word for host, inside in (volumes or {}).items() for word in ("--volume", f"{host}:{inside}")]
    podman(
        *("run", "--detach", "--name", name),
        *("--network", "none" if network is None else f"container:{network.name}"),
        *LIMITS,
        *mounts,
        *options,
        image,
        *command,
    )
    return Container(name)


def wait_until(what: str, probe: Any, timeout_s: float, container: Container | None = None) -> Any:
    """Return the first true value of `probe`; fail with `what`, and the container's last lines, when the time is up."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if value := probe():
            return value
        if container is not None and not container.running:
            break
        time.sleep(0.3)
    tail = "" if container is None else "\n" + "\n".join(container.log().splitlines()[-30:])
    raise AssertionError(f"not within {timeout_s} s: {what}{tail}")
