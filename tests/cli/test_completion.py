"""What is completed in shells, by a real bash and by what zsh and fish ask."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from cli import completion

# Where pip has put `feedmesh`.
PROGRAMS = Path(sys.executable).parent
DOWN = "Stop the whole mesh in order, and return..."
IN_BASH = """
source <(feedmesh completion bash)
complete -p feedmesh
for words in "feedmesh config si" "feedmesh restart chain" "feedmesh logs --lev"; do
    COMP_WORDS=($words)
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _feedmesh_completion feedmesh
    echo "$words: ${COMPREPLY[*]}"
done
"""


def environment(run_dir: Path) -> dict[str, str]:
    """Return an environment in which `feedmesh` is found, and a mesh with two nodes."""
    for name in ("chainlink-node-1", "chainlink-node-2", "operator"):
        (run_dir / "service" / name).mkdir(parents=True, exist_ok=True)
    return os.environ | {"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "FEEDMESH_RUN_DIR": str(run_dir)}


def test_bash_completes_commands_options_and_services(tmp_path: Path) -> None:
    """Once bash has read the script, it completes commands, those of groups, options, and services' names."""
    ran = subprocess.run(
        ["bash", "--norc", "-c", IN_BASH], capture_output=True, text=True, env=environment(tmp_path), check=True
    )

    expected = [
        "complete -o default -F _feedmesh_completion feedmesh",
        "feedmesh config si: sign",
        "feedmesh restart chain: chainlink-node-1 chainlink-node-2",
        "feedmesh logs --lev: --level",
    ]
    assert (expected, "") == (ran.stdout.splitlines(), ran.stderr)


@pytest.mark.parametrize(
    ("shell", "asked", "expected"),
    [
        ("zsh", {}, f"""_arguments '*: :(("down":"{DOWN}"))'"""),
        ("fish", {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}, f"down\t{DOWN}"),
    ],
)
def test_other_shells_are_answered(shell: str, asked: dict[str, str], expected: str, tmp_path: Path) -> None:
    """What the functions of zsh and fish ask is answered as these want it."""
    question = {completion.VARIABLE: f"complete_{shell}", "_TYPER_COMPLETE_ARGS": "feedmesh dow"}
    ran = subprocess.run(
        [PROGRAMS / "feedmesh"],
        capture_output=True,
        text=True,
        env=environment(tmp_path) | question | asked,
        check=False,
    )

    assert (expected, "") == (ran.stdout.strip(), ran.stderr)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell: completion.Shell) -> None:
    """The script asks by the variable that the command looks for."""
    assert f"{completion.VARIABLE}=complete_{shell}" in completion.script(shell)


def test_without_a_mesh_no_service_is_named(tmp_path: Path) -> None:
    """Where nothing runs there is nothing to complete, and no error in the middle of a line."""
    context = typer.Context(typer.main.get_command(typer.Typer(callback=lambda: None)))
    context.params["run_dir"] = tmp_path / "nothing"

    assert [] == completion.services(context)
