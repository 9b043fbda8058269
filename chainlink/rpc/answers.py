"""What a JSON-RPC answer says: its result or its refusal, and the values that results are made of."""

import re
from typing import Any

from chainlink.rpc.errors import Malformed, RpcRefused

_QUANTITY = re.compile("0[xX][0-9a-fA-F]+")


def result_of(method: str, answer: object, number: int) -> Any:
    """
    Return the result of the answer to question `number`.

    Raises:
        RpcRefused: when it is an error.
        Malformed: when it is no answer, or one to another question.
    """
    if not isinstance(answer, dict):
        raise Malformed(f"{method}: no JSON-RPC answer")
    problem = answer.get("error")
    found = answer.get("id")
    # An endpoint that could not read a question answers it without a number.
    if found != number and not (problem is not None and found is None):
        raise Malformed(f"{method}: an answer to question {found!r}, asked was {number}")
    if problem is not None:
        raise _refusal(method, problem)
    if "result" not in answer:
        raise Malformed(f"{method}: no JSON-RPC answer")
    return answer["result"]


def _refusal(method: str, problem: object) -> RpcRefused:
    if not isinstance(problem, dict):
        return RpcRefused(method, 0, str(problem))
    code = problem.get("code", 0)
    return RpcRefused(
        method, code if isinstance(code, int) else 0, str(problem.get("message", "")), problem.get("data")
    )


def quantity(value: object) -> int:
    """Return the number of a hexadecimal quantity; Malformed if it is none."""
    if not isinstance(value, str) or _QUANTITY.fullmatch(value) is None:
        raise Malformed(f"{str(value)[:20]!r} is no quantity")
    return int(value, 16)


def blob(value: object) -> bytes:
    """Return the bytes of 0x text; Malformed if it is none."""
    try:
        if not isinstance(value, str) or not value.startswith("0x"):
            raise ValueError(value)
        found = bytes.fromhex(value[2:])
        # White space between bytes would be let through.
        if 2 * len(found) != len(value) - 2:
            raise ValueError(value)
    except ValueError as error:
        raise Malformed(f"{str(value)[:20]!r} is no 0x text") from error
    return found
