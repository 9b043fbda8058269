"""
A plan made in a process of its own.

Reading and checking a configuration takes libraries of 15 MB, which the supervisor would hold for ever for something
it does once; and it never sees a secret that way, but in the file's text on its way to the services.
"""

import os
import sys
from pathlib import Path

import orjson

from services.supervisor.errors import PlanRefused
from services.supervisor.plan import plan_json
from services.supervisor.plan.settings import Planned
from services.supervisor.process import run_program


async def make(path: Path) -> Planned:
    """Return what follows from a configuration file; raises PlanRefused with every problem in it."""
    command = (sys.executable, "-m", "services.supervisor", "--config", str(path), "--plan")
    outcome = await run_program.run(command, os.environ)
    if outcome.code == 0:
        return plan_json.read(outcome.output)
    try:
        refusal = orjson.loads(outcome.output)
    except orjson.JSONDecodeError:
        words = outcome.errors.decode(errors="replace").strip()
        raise PlanRefused(f"the plan of {path} cannot be made: {words}") from None
    raise PlanRefused(refusal["error"])
