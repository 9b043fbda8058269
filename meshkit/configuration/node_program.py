"""
The program of each node: Chainlink's own or ours, as `solution.mesh.runtime` says.

Chainlink's is the file that CHAINLINK_BIN names, or else the `chainlink` of the PATH. Both programs are given the same
files and the same requests.
"""

import os
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args

from pydantic import StringConstraints

from meshkit.configuration.faults.wording import Words
from meshkit.errors import InvalidInput

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler

PROGRAM_VARIABLE: Final = "CHAINLINK_BIN"
_PROGRAM: Final = "chainlink"
_PLACE: Final = "solution.mesh.runtime"

NodeRuntime = Literal["chainlink", "embedded"]
RuntimeName = Literal["auto", "chainlink", "embedded"]
NodeNumber = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]?$"), Words("the number of a node, 1 for example")]


class _OneOrByNumber:
    """Have a name, or an object of them by node number, validated as the one that it looks like."""

    def __get_pydantic_core_schema__(self, source: Any, handler: "GetCoreSchemaHandler") -> Any:
        """Return the object's schema, before which a name is taken as it is: so faults stand at their own places."""
        from pydantic_core import core_schema

        by_number = handler.generate_schema(dict[NodeNumber, RuntimeName])
        as_it_is = core_schema.plain_serializer_function_ser_schema(lambda value: value)
        return core_schema.no_info_wrap_validator_function(_take_name, by_number, serialization=as_it_is)

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: "GetJsonSchemaHandler") -> Any:
        """Return the schema, with the one name beside the object."""
        return {"anyOf": [{"enum": list(get_args(RuntimeName)), "type": "string"}, handler(core_schema)]}


def _take_name(value: Any, validated: Any) -> Any:
    return value if isinstance(value, str) and value in get_args(RuntimeName) else validated(value)


RuntimeSetting = Annotated[RuntimeName | dict[NodeNumber, RuntimeName], _OneOrByNumber()]


def wanted_runtime(setting: RuntimeName | Mapping[str, RuntimeName], node: int) -> RuntimeName:
    """Return what a setting says of a node; one that it does not name is `auto`."""
    return setting if isinstance(setting, str) else setting.get(str(node), "auto")


def runtimes(
    setting: RuntimeName | Mapping[str, RuntimeName], total_nodes: int, chainlink: str | None
) -> dict[int, NodeRuntime]:
    """
    Return the program of every node by its number; `chainlink` is the path of Chainlink's, if there is one.

    Raises:
        InvalidInput: when a node is to run Chainlink's program and there is none.
    """
    return {node: node_runtime(setting, node, chainlink) for node in range(1, total_nodes + 1)}


def node_runtime(setting: RuntimeName | Mapping[str, RuntimeName], node: int, chainlink: str | None) -> NodeRuntime:
    """Return the program of one node; raises InvalidInput as `runtimes`."""
    wanted = wanted_runtime(setting, node)
    if wanted == "auto":
        return "embedded" if chainlink is None else "chainlink"
    if wanted == "chainlink" and chainlink is None:
        place = _PLACE if isinstance(setting, str) else f"{_PLACE}.{node}"
        allowed = f"embedded or auto, as there is no {_PROGRAM} on the PATH and {PROGRAM_VARIABLE} names none"
        raise InvalidInput(place, wanted, allowed)
    return wanted


def chainlink_program(setting: RuntimeName | Mapping[str, RuntimeName], environment: Mapping[str, str]) -> str | None:
    """
    Return the path of Chainlink's program, or None where there is none or no node is to run it.

    Raises:
        InvalidInput: when the variable names something that cannot be run.
    """
    if setting == "embedded":
        return None
    if named := environment.get(PROGRAM_VARIABLE):
        if not os.path.isfile(named) or not os.access(named, os.X_OK):  # noqa: PTH113
            raise InvalidInput(PROGRAM_VARIABLE, named, "the path of a program, or nothing for the one on the PATH")
        return os.path.abspath(named)  # noqa: PTH100
    return shutil.which(_PROGRAM, path=environment.get("PATH"))
