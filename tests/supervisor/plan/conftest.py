"""The input of a plan."""

import json
from pathlib import Path

import pytest

from meshkit.configuration.load import load
from meshkit.paths import DataDir, RunDir, SecretsDir
from services.supervisor.plan.make_plan import make_plan
from services.supervisor.plan.mesh_plan import MeshPlan
from services.supervisor.plan.plan_input import PlanInput
from tests.deployment import deployment
from tests.supervisor.plan.plans import Edit, Plans

SIGNED = Path(__file__).parents[2] / "vectors" / "configuration.signed.json"
HOST = {"PATH": "/usr/bin", "HOME": "/root", "LOG_LEVEL": "debug", "DATABASE_URL": "x", "AWS_SECRET": "y"}


@pytest.fixture(name="given")
def _given(tmp_path: Path) -> PlanInput:
    """Give the input of the signed deployment configuration with both simulators on."""
    document = json.loads(SIGNED.read_text())
    document["solution"]["mesh"] = {
        "dataDir": str(tmp_path / "data"),
        "runDir": str(tmp_path / "run"),
        "feeds": ["BTC / USD"],
        "devchain": {"enabled": True},
        "market": {"enabled": True, "seed": 42},
    }
    path = tmp_path / "configuration.json"
    path.write_text(json.dumps(document))
    configuration = load(path)
    return PlanInput(
        configuration=configuration,
        run_dir=RunDir(tmp_path / "run"),
        data_dir=DataDir(tmp_path / "data"),
        secrets_dir=SecretsDir(tmp_path / "secrets"),
        runtimes=dict.fromkeys(range(1, 41), "embedded"),
        python="python",
        environment=HOST,
        faucet_address="0xfaucet",
    )


@pytest.fixture(name="plans")
def _plans(tmp_path: Path) -> Plans:
    """Give the plans of a deployment's file before and after an edit of its solution."""

    def plans(edit: Edit) -> tuple[MeshPlan, MeshPlan]:
        document = deployment(dataDir=str(tmp_path / "data"), runDir="/run/x", runtime="embedded")
        path = tmp_path / "configuration.json"
        path.write_text(json.dumps(document))
        before = make_plan(path, HOST)
        edit(document["solution"])
        path.write_text(json.dumps(document))
        return before, make_plan(path, HOST)

    return plans
