"""The chart, rendered by helm itself: both layouts are valid for Kubernetes, closed, and what the mesh is."""

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import typer.main
import yaml

from cli.app import app
from meshkit.configuration.mesh import Mesh, Ports
from meshkit.configuration.network import NetworkPorts
from meshkit.paths import SP_SECRETS_DIR, DataDir, SecretsDir
from tests.deploy.network_policies import pods, reaches, reaches_address

CHART = Path("deploy/helm/feedmesh")
OLDEST, NEWEST = "1.29", "1.37"
POSTGRES = {"cnpg.io/cluster": "feedmesh-postgres"}


def _helm() -> str:
    built = subprocess.run(["scripts/helm_tool", "--where"], capture_output=True, text=True, check=True).stdout.strip()
    return built if os.access(built, os.X_OK) else shutil.which("helm") or ""


pytestmark = pytest.mark.skipif(not _helm(), reason="there is no helm here: `make helm` builds it with Go")


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run helm with nothing of its user's."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    return subprocess.run([_helm(), *words], capture_output=True, text=True, check=False, env=environment)


@functools.cache
def rendered(*settings: str) -> tuple[Mapping[str, Any], ...]:
    """Return the objects that the chart makes with some values."""
    words = [word for setting in settings for word in ("--set", setting)]
    ran = run("template", "mesh", str(CHART), "--kube-version", f"{OLDEST}.0", *words)
    assert ran.returncode == 0, ran.stderr
    return tuple(each for each in yaml.safe_load_all(ran.stdout) if each)


SPREAD = ("layout=spread",)
OWN_POSTGRES = (
    "spread.postgres.enabled=false",
    "spread.postgres.cidrs={10.9.0.4/32}",
    "spread.postgres.authoritySecret=ca",
)
LAYOUTS = pytest.mark.parametrize(
    "settings",
    [
        ("layout=container",),
        ("layout=container", "container.runAsUser=1000", "container.givenSecret=x", "imagePullSecrets={a}"),
        SPREAD,
        (*SPREAD, "spread.totalNodes=8", "spread.bootstrapNodes=3"),
        (*SPREAD, *OWN_POSTGRES),
    ],
    ids=["container", "container-as-user", "spread", "spread-three-bootstraps", "spread-own-postgres"],
)


def workloads(objects: tuple[Mapping[str, Any], ...]) -> dict[str, Mapping[str, Any]]:
    """Return the specifications of pods by the names of what makes them."""
    kinds = ("Deployment", "StatefulSet")
    return {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in objects if each["kind"] in kinds}


def test_lint() -> None:
    """Helm's own lint finds nothing, in either layout."""
    for layout in ("container", "spread"):
        ran = run(
            "lint", "--strict", "--quiet", str(CHART), "--set", f"layout={layout}", "--kube-version", f"{OLDEST}.0"
        )
        assert (0, "") == (ran.returncode, ran.stdout.strip())


@LAYOUTS
def test_every_object_is_valid(settings: tuple[str, ...]) -> None:
    """Each object is to the letter what the oldest and the newest Kubernetes take; CloudNativePG's has no schema."""
    objects = rendered(*settings)
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(set(names)) == len(names)
    for each in objects:
        if each["apiVersion"].startswith("postgresql.cnpg.io/"):
            continue
        for version in (OLDEST, NEWEST):
            kubernetes_validate.validate(each, version, strict=True)


@LAYOUTS
def test_pods_are_closed(settings: tuple[str, ...]) -> None:
    """No pod has a token, a writable root or a right beyond the five; each is judged by the verdict and has limits."""
    for name, pod in workloads(rendered(*settings)).items():
        assert pod["automountServiceAccountToken"] is False
        assert {"type": "RuntimeDefault"} == pod["securityContext"]["seccompProfile"]
        root = pod["securityContext"]["runAsUser"] == 0
        for container in (*pod["containers"], *pod.get("initContainers", ())):
            security = container["securityContext"]
            assert (False, True) == (security["allowPrivilegeEscalation"], security["readOnlyRootFilesystem"]), name
            added = ["CHOWN", "DAC_OVERRIDE", "KILL", "SETGID", "SETUID"] if root else []
            assert ({"ALL"}, added) == (set(security["capabilities"]["drop"]), security["capabilities"].get("add", []))
            assert "memory" in container["resources"]["limits"]
            mounts = {mount["name"] for mount in container["volumeMounts"]}
            assert mounts <= {volume["name"] for volume in pod["volumes"]} | {"sp"}
        for container in pod["containers"]:
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                assert ["feedmesh-health"] == container[probe]["exec"]["command"]


@LAYOUTS
def test_commands_are_ours(settings: tuple[str, ...]) -> None:
    """What the pods run are commands and options that the command line has."""
    group = typer.main.get_command(app)
    for pod in workloads(rendered(*settings)).values():
        for container in (*pod["containers"], *pod.get("initContainers", ())):
            if "command" not in container:
                name, *words = map(str, container["args"])
                group.commands[name].make_context(name, words)  # type: ignore[attr-defined]


def test_a_pod_has_its_own_secrets_only() -> None:
    """Each service is given its own share and certificate, and no other's; the authority's certificate is no secret."""
    for name, pod in workloads(rendered(*SPREAD)).items():
        secrets = {volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
        assert {name, f"{name}-tls"} == secrets - {"feedmesh-postgres-ca"}


def test_files_are_where_the_services_look() -> None:
    """A node's files, the operator's keys and the certificates lie where the configuration's defaults have them."""
    data, secrets = DataDir(Mesh().data_dir), SecretsDir(Path(SP_SECRETS_DIR))
    pods_by_name = workloads(rendered(*SPREAD))
    for index in range(1, 6):
        (container,) = pods_by_name[f"feedmesh-node-{index}"]["containers"]
        places = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert str(data.node(index)) == places["node"]
        assert data.node_home(index).is_relative_to(places["data"])
        assert f"{places['node']}/configuration.json" == container["args"][-1]
        assert {"name": "FEEDMESH_TLS_DIR", "value": places["tls"]} in container["env"]
    (volume,) = (each for each in pods_by_name["feedmesh-operator"]["volumes"] if each["name"] == "keys")
    paths = {str(secrets.path / item["path"]) for item in volume["secret"]["items"]}
    assert {str(secrets.node(index)) for index in range(1, 6)} == {str(Path(path).parent) for path in paths}


def test_keys_are_brought_once(tmp_path: Path) -> None:
    """The operator's volume is given every key from the Secret; keys that it has already stay as they are."""
    pod = workloads(rendered(*SPREAD))["feedmesh-operator"]
    (volume,) = (each for each in pod["volumes"] if each["name"] == "keys")
    paths = [item["path"] for item in volume["secret"]["items"]]
    assert len(paths) == 2 + 4 * 3
    for path in paths:
        (tmp_path / "keys" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "keys" / path).write_text(path)
    (_, _, script) = pod["initContainers"][0]["command"]
    script = script.replace("/keys", str(tmp_path / "keys")).replace("/sp/", f"{tmp_path}/sp/")
    kept = tmp_path / "sp/secrets/cl-secrets/2/evm_key.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("older")
    for _ in range(2):
        subprocess.run(["sh", "-euc", script], check=True)
    found = {str(file.relative_to(tmp_path / "sp/secrets")): file for file in tmp_path.glob("sp/secrets/*/*/*")}
    assert set(paths) == set(found)
    assert [path for path, file in found.items() if file.read_text() != path] == ["cl-secrets/2/evm_key.json"]
    assert {0o600} == {file.stat().st_mode & 0o777 for file in found.values() if file != kept}


@pytest.mark.parametrize(("total", "bootstrap", "f"), [(5, 1, 1), (7, 1, 1), (8, 1, 2), (12, 2, 3)])
def test_never_more_than_f_oracles_are_away(total: int, bootstrap: int, f: int) -> None:
    """The disruption budget is f of n oracles, f = ⌊(n-1)/3⌋, and it counts the oracles and nobody else."""
    objects = rendered(*SPREAD, f"spread.totalNodes={total}", f"spread.bootstrapNodes={bootstrap}")
    (budget,) = (each for each in objects if each["kind"] == "PodDisruptionBudget")
    assert f == budget["spec"]["maxUnavailable"]
    wanted = budget["spec"]["selector"]["matchLabels"].items()
    chosen = {name for name, labels in pods(objects).items() if wanted <= labels.items()}
    assert {f"feedmesh-node-{index}" for index in range(bootstrap + 1, total + 1)} == chosen


def test_who_reaches_whom() -> None:
    """Between every two pods exactly the connections that the mesh makes are open, and no other."""
    objects = rendered(*SPREAD)
    labels = {**pods(objects), "postgres": POSTGRES, "stranger": {"app": "x"}}
    api, p2p, grpc = ({f"feedmesh-node-{index}": base + index for index in range(1, 6)} for base in (7600, 9900, 7700))
    ports = {3000, 3443, 5432, 6601, 7001, 7002, 8000, *api.values(), *p2p.values(), *grpc.values()}
    expected: dict[tuple[str, str], set[int]] = {
        ("feedmesh-aggregator", "feedmesh-operator"): {7002},
        ("feedmesh-operator", "feedmesh-aggregator"): {7001},
        ("feedmesh-operator", "postgres"): {5432},
        ("postgres", "postgres"): {5432, 8000},
    }
    for node in api:
        expected["feedmesh-operator", node] = {api[node], grpc[node]}
        expected[node, "postgres"] = {5432}
        if node != "feedmesh-node-1":
            expected[node, "feedmesh-aggregator"] = {3443}
        for other in api:
            expected[node, other] = {p2p[other]}
    found = {
        (source, target): open_ports
        for source in labels
        for target in labels
        if target != "stranger" and (open_ports := reaches(objects, labels[source], labels[target], ports))
    }
    assert expected == found


@pytest.mark.parametrize("layout", ["container", "spread"])
def test_outside_is_public_and_https(layout: str) -> None:
    """Outside, pods reach public addresses on the ports that values name, and no private one without being told."""
    for labels in pods(rendered(f"layout={layout}")).values():
        (rule,) = reaches_address(rendered(f"layout={layout}"), labels)
        assert [{"protocol": "TCP", "port": 443}] == rule["ports"]
        (peer,) = rule["to"]
        assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(peer["ipBlock"]["except"])


def test_nothing_reaches_the_one_container() -> None:
    """The whole mesh in one pod takes no connection."""
    objects = rendered("layout=container")
    (labels,) = pods(objects).values()
    assert set() == reaches(objects, {"app": "x"}, labels, range(1, 10_000))


def test_ports_are_the_configurations_defaults() -> None:
    """The values' ports are the defaults of the configuration, so that one who changes neither has a mesh."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())["spread"]["ports"]
    ours = NetworkPorts().model_dump(by_alias=True) | {"nodeP2PBase": Ports().node_p2p_base}
    assert ours == values


def test_the_database_is_closed() -> None:
    """CloudNativePG's cluster lets nodes in by TLS and password only, each into its own database."""
    (cluster,) = (each for each in rendered(*SPREAD) if each["kind"] == "Cluster")
    rules = cluster["spec"]["postgresql"]["pg_hba"]
    assert "hostssl sameuser /^chainlink_node_ all scram-sha-256" == rules[1]
    assert "host all /^chainlink_node_ all reject" == rules[-1]
    assert {"method": "any", "number": 1} == cluster["spec"]["postgresql"]["synchronous"]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("layout=both", "layout"),
        ("spread.totalNodes=4", "totalNodes"),
        ("image.digest=sha256:abc", "digest"),
        ("spread.ports.operatorGrpc=70000", "operatorGrpc"),
        ("spread.bootstrapNodes=3", "found 2, allowed: at least 4 oracles"),
        ("spread.postgres.enabled=false", "needed without spread.postgres.enabled"),
        ("container.runAsuser=1", "runAsuser"),
    ],
)
def test_wrong_values_are_refused(setting: str, said: str) -> None:
    """A value that is wrong, or of a key that there is not, renders nothing and is named."""
    layout = () if setting.startswith("layout") else ("--set", "layout=spread")
    ran = run("template", "mesh", str(CHART), "--kube-version", f"{OLDEST}.0", *layout, "--set", setting)
    assert ran.returncode != 0
    assert said in ran.stderr


def test_the_image_is_pinned_by_digest() -> None:
    """With a digest every container runs exactly that image."""
    digest = "sha256:" + "ab" * 32
    for pod in workloads(
        rendered(*SPREAD, f"image.digest={digest}", "image.repository=registry.example/feedmesh")
    ).values():
        for container in (*pod["containers"], *pod.get("initContainers", ())):
            assert f"registry.example/feedmesh:0.1.0@{digest}" == container["image"]


def test_the_values_have_a_schema() -> None:
    """Every value of the chart is one that its schema names."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(values) <= set(schema["properties"])
    for name in ("image", "egress", "container", "spread"):
        assert set(values[name]) == set(schema["properties"][name]["properties"])
