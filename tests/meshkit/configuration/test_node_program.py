"""The program of each node."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.configuration.faults.problem import InvalidConfiguration, Problem
from meshkit.configuration.load import load
from meshkit.configuration.node_program import RuntimeName, chainlink_program, runtimes, wanted_runtime
from meshkit.configuration.solution import Configuration
from meshkit.errors import InvalidInput
from tests.deployment import deployment, written

NAMES: tuple[RuntimeName, ...] = ("auto", "chainlink", "embedded")
A_NAME = "one of auto, chainlink, embedded"


@given(st.dictionaries(st.integers(1, 40).map(str), st.sampled_from(NAMES)), st.integers(5, 40), st.booleans())
def test_each_node_has_the_program_that_is_named(named: dict[str, RuntimeName], total: int, present: bool) -> None:
    """A name of a program is kept, all else follows from whether Chainlink's is there; without it, it is refused."""
    program = "/opt/chainlink" if present else None
    wanted = {node: named.get(str(node), "auto") for node in range(1, total + 1)}
    if not present and "chainlink" in wanted.values():
        with pytest.raises(InvalidInput, match=r"solution\.mesh\.runtime\.\d+: found 'chainlink', allowed: embedded"):
            runtimes(named, total, program)
        return
    found = runtimes(named, total, program)
    assert wanted.keys() == found.keys()
    for node, name in wanted.items():
        assert name == wanted_runtime(named, node)
        assert {"auto": "chainlink" if present else "embedded"}.get(name, name) == found[node]


@pytest.mark.parametrize("name", NAMES)
def test_one_name_is_for_all_nodes(name: RuntimeName) -> None:
    """A configuration with one name has it for every node, and is written as it was read."""
    document = deployment(runtime=name)
    mesh = Configuration.model_validate(document).solution.mesh
    assert {name} == {wanted_runtime(mesh.runtime, node) for node in range(1, 41)}
    assert name == mesh.model_dump(mode="json", by_alias=True)["runtime"]


@pytest.mark.parametrize(
    ("runtime", "place", "found", "allowed"),
    [
        ("embeded", ("runtime",), '"em…ed"', f"{A_NAME} or an object; for each key, {A_NAME}"),
        (None, ("runtime",), "null", f"{A_NAME} or an object; for each key, {A_NAME}"),
        (3, ("runtime",), "3", f"{A_NAME} or an object; for each key, {A_NAME}"),
        (["embedded"], ("runtime",), "a list of 1", f"{A_NAME} or an object; for each key, {A_NAME}"),
        ({"3": "chain"}, ("runtime", "3"), '"chain"', A_NAME),
        ({"3": None}, ("runtime", "3"), "null", A_NAME),
        ({"03": "auto"}, ("runtime", "03"), 'the key "03"', "the number of a node, 1 for example"),
        ({"node-3": "auto"}, ("runtime", "node-3"), 'the key "node-3"', "the number of a node, 1 for example"),
        ({"6": "auto"}, ("runtime", "6"), "the key '6'", "the numbers of nodes, 1 to 5 (totalNodes)"),
    ],
)
def test_what_is_no_program(tmp_path: Path, runtime: Any, place: tuple[str, ...], found: str, allowed: str) -> None:
    """What is wrong is told at its own place: the whole, one node's name, or a number that no node has."""
    with pytest.raises(InvalidConfiguration) as raised:
        load(written(tmp_path, deployment(runtime=runtime)))
    problem = next(each for each in raised.value.problems if each.place[:3] == ("solution", "mesh", "runtime"))
    expected = Problem(("solution", "mesh", *place), found, allowed, problem.line, problem.because)
    assert expected == problem
    assert 1 == len(raised.value.problems)


def test_where_the_program_is(tmp_path: Path) -> None:
    """The variable comes before the PATH; where no node runs Chainlink's program nothing is looked for."""
    named, on_path = tmp_path / "named", tmp_path / "bin" / "chainlink"
    on_path.parent.mkdir()
    for program in (named, on_path):
        program.touch(mode=0o755)
    path = {"PATH": str(on_path.parent)}

    assert str(on_path) == chainlink_program("auto", path)
    assert str(named) == chainlink_program({"2": "chainlink"}, path | {"CHAINLINK_BIN": str(named)})
    assert None is chainlink_program("auto", {"PATH": str(tmp_path)})
    assert None is chainlink_program("embedded", {"CHAINLINK_BIN": "/nowhere"})
    with pytest.raises(InvalidInput, match="CHAINLINK_BIN: found '/nowhere', allowed: the path of a program"):
        chainlink_program("auto", path | {"CHAINLINK_BIN": "/nowhere"})
