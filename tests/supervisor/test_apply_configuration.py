"""Another configuration for a mesh that runs."""

import signal
from dataclasses import replace
from pathlib import Path

import grpc
import grpc.aio
import pytest

from feedmesh.supervisor.v1 import supervisor_service_pb2 as pb
from services.supervisor.plan.plan_difference import Change, ChangeKind, difference
from services.supervisor.plan.service_spec import RestartPolicy
from tests.supervisor.fakes import scenario_specs
from tests.supervisor.started import Start
from tests.waiting import until


def test_difference() -> None:
    """Each service is added, removed, restarted for what it runs with, or updated in its rules; or is not named."""
    old = {spec.name: spec for spec in scenario_specs("chain")}
    new = {spec.name: spec for spec in scenario_specs("changed")}

    assert [] == difference(old, old)
    assert [
        Change("third", ChangeKind.RESTARTED, ("needs", "settings")),
        Change("fourth", ChangeKind.ADDED),
        Change("prepare", ChangeKind.REMOVED),
        Change("second", ChangeKind.REMOVED),
    ] == difference(old, new)
    rules = replace(old["first"], policy=RestartPolicy(max_restarts=9))

    assert [Change("first", ChangeKind.UPDATED, ("policy",))] == difference({"first": old["first"]}, {"first": rules})


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

        async def is_done() -> bool:
            listed = (await stub.ListServices(pb.ListServicesRequest())).services
            return ["first", "third", "fourth"] == [each.name for each in listed] and all(each.pid for each in listed)

        await until(is_done, "the new plan is in force")
        after = {each.name: each.pid for each in (await stub.ListServices(pb.ListServicesRequest())).services}
        counters = {path.name for path in (supervisor.run_dir / "service").iterdir()}
        copy = (supervisor.run_dir / "configuration.json").read_text()
        nothing = await stub.ApplyConfiguration(pb.ApplyConfigurationRequest())
    supervisor.process.send_signal(signal.SIGTERM)

    assert before == untouched
    assert tried == applied
    assert ["third", "fourth", "prepare", "second"] == [change.name for change in applied.changes]
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
