"""A run of a job's pipeline as GraphQL's questions have it."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from services.oracle.pipeline.record import PipelineRun, TaskRun
from services.oracle.rest.jsonapi import timestamp

# Tasks have no ids in this node; pages want one for each.
_TASKS: Final = uuid.UUID("8c2f0b52-0f0e-5a4b-9d0a-6a5b0f6f3f11")


def of(run: PipelineRun, job: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a run of a job."""
    tasks = run.tasks or ()
    return {
        "__typename": "JobRun",
        "id": str(run.id),
        "outputs": list(run.outputs),
        "allErrors": [task.error for task in tasks if task.error is not None] or _told(run),
        "fatalErrors": _told(run),
        "inputs": run.inputs,
        "createdAt": _time(run.created_ms),
        "finishedAt": _time(run.finished_ms),
        "taskRuns": [_task(run.id, task) for task in tasks],
        "status": "COMPLETED" if run.ok else "ERRORED",
        "job": job,
    }


def _told(run: PipelineRun) -> list[str]:
    return [error for error in run.fatal_errors if error is not None]


def _task(run_id: int, task: TaskRun) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid5(_TASKS, f"{run_id}/{task.dot_id}")),
        "dotID": task.dot_id,
        "type": task.kind,
        "output": "null" if task.output is None else task.output,
        "error": task.error,
        "createdAt": _time(task.created_ms),
        "finishedAt": _time(task.finished_ms),
    }


def _time(milliseconds: int) -> str:
    return timestamp(datetime.fromtimestamp(milliseconds / 1000, UTC))
