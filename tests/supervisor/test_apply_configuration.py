"""Another configuration for a mesh that runs."""

import asyncio
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from feedmesh.supervisor.v1 import supervisor_service_pb2 as pb
from meshkit.paths import RunDir
from services.supervisor.apply_configuration import check_settings
from services.supervisor.config import LogSettings, Settings
from services.supervisor.errors import SettingsFixed
from tests.supervisor.started import Start
from tests.waiting import until

SETTINGS = Settings(RunDir(Path("/run/x")), LogSettings(Path("/x/logs")))


async def test_only_what_changed_is_restarted(start: Start) -> None:
    """A trial changes nothing; applied, the removed are gone, the new run, the unchanged keep their process."""
    supervisor = start("chain")
    file = supervisor.data_dir / "scenario"
    async with supervisor.client() as stub:
        before = {each.name: each.pid for each in (await stub.ListServices(pb.ListServicesRequest())).services}
        file.write_text("changed")
        tried = await stub.ApplyConfiguration(pb.ApplyConfigurationRequest(dry_run=True))
        untouched = {each.name: each.pid for each in (await stub.ListServices(pb.ListServicesRequest())).services}
        applied = await stub.ApplyConfiguration(pb.ApplyConfigurationRequest(path=str(file)))
        await stub.WaitReady(pb.WaitReadyRequest(), timeout=30)
        after = {each.name: each.pid for each in (await stub.ListServices(pb.ListServicesRequest())).services}
        counters = {path.name for path in (supervisor.run_dir / "service").iterdir()}
        copy = (supervisor.run_dir / "configuration.json").read_text()
        nothing = await stub.ApplyConfiguration(pb.ApplyConfigurationRequest())
    supervisor.process.send_signal(signal.SIGTERM)

    assert before == untouched
    assert tried == applied
    assert ["third", "fourth", "prepare", "second"] == [change.name for change in applied.changes]
    assert ["first", "third", "fourth"] == list(after)
    assert before["first"] == after["first"]
    assert before["third"] != after["third"]
    assert ({"first", "third", "fourth"}, "changed") == (counters, copy)
    assert [] == list(nothing.changes)
    assert 0 == supervisor.end()[0]
    assert not supervisor.run_dir.exists()


async def test_a_bad_file_changes_nothing(start: Start, tmp_path: Path) -> None:
    """The error says what is wrong; the services and what they read stay as they are."""
    supervisor = start("chain")
    bad = tmp_path / "bad"
    bad.write_text("nonsense")
    async with supervisor.client() as stub:
        before = await stub.ListServices(pb.ListServicesRequest())
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ApplyConfiguration(pb.ApplyConfigurationRequest(path=str(bad)))
        with pytest.raises(grpc.aio.AioRpcError) as relative:
            await stub.ApplyConfiguration(pb.ApplyConfigurationRequest(path="bad"))

        assert before == await stub.ListServices(pb.ListServicesRequest())
        assert "chain" == (supervisor.run_dir / "configuration.json").read_text()
    supervisor.process.send_signal(signal.SIGTERM)

    assert 0 == supervisor.end()[0]
    assert grpc.StatusCode.FAILED_PRECONDITION is caught.value.code()
    assert "there is no scenario 'nonsense'" == caught.value.details()
    assert grpc.StatusCode.INVALID_ARGUMENT is relative.value.code()


async def test_one_change_at_a_time(start: Start) -> None:
    """While a service that is gone still stops it is shown, and another change is refused; a trial is not."""
    supervisor = start("calm and deaf")
    file, log = supervisor.data_dir / "scenario", supervisor.data_dir / "logs/deaf.log"
    await until(lambda: log.exists() and " deaf\n" in log.read_text(), "the service ignores SIGTERM")
    async with supervisor.client() as stub:
        file.write_text("calm")
        await stub.ApplyConfiguration(pb.ApplyConfigurationRequest())
        shown = (await stub.ListServices(pb.ListServicesRequest())).services
        watch: Any = stub.WatchServices(pb.WatchServicesRequest())
        await watch.read()
        nothing = await stub.ApplyConfiguration(pb.ApplyConfigurationRequest())
        file.write_text("calm and deaf")
        tried = await stub.ApplyConfiguration(pb.ApplyConfigurationRequest(dry_run=True))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ApplyConfiguration(pb.ApplyConfigurationRequest())
        copy = (supervisor.run_dir / "configuration.json").read_text()
        await stub.SignalService(pb.SignalServiceRequest(name="deaf", signal="SIGKILL"))
        async with asyncio.timeout(30):
            while not (last := await watch.read()).removed:
                pass
        watch.cancel()
        await stub.WaitReady(pb.WaitReadyRequest(), timeout=30)
        left = (await stub.ListServices(pb.ListServicesRequest())).services
        again = await stub.ApplyConfiguration(pb.ApplyConfigurationRequest())
    supervisor.process.send_signal(signal.SIGTERM)
    supervisor.end()

    assert [("calm", pb.SERVICE_STATE_HEALTHY), ("deaf", pb.SERVICE_STATE_STOPPING)] == [
        (each.name, each.state) for each in shown
    ]
    assert ([], ["deaf"], "calm") == (list(nothing.changes), [change.name for change in tried.changes], copy)
    assert grpc.StatusCode.FAILED_PRECONDITION is caught.value.code()
    assert ("deaf", "no longer in the plan") == (last.service.name, last.service.message)
    assert ["calm"] == [each.name for each in left]
    assert tried == again


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        (replace(SETTINGS, run_dir=RunDir(Path("/run/y"))), "solution.mesh.runDir"),
        (replace(SETTINGS, logs=LogSettings(Path("/other/logs"))), "solution.mesh.dataDir"),
        (replace(SETTINGS, secrets_dir=Path("/other/secrets")), "solution.spSecretsDir"),
        (replace(SETTINGS, stop_deadline_s=1.0), "stopDeadlineSeconds"),
    ],
)
def test_what_a_running_mesh_cannot_change(wanted: Settings, named: str) -> None:
    """A change of a directory, of the logs or of the stop is refused with its key; without one nothing is."""
    check_settings(SETTINGS, SETTINGS)
    with pytest.raises(SettingsFixed, match=named):
        check_settings(SETTINGS, wanted)
