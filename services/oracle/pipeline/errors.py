"""
Errors of pipelines.

Exception
├── SpecificationError   the DOT text is no pipeline: field, found, allowed
└── TaskError            a task failed: its text is the task's error
    └── RunError         a run has no usable result
"""


class SpecificationError(Exception):
    """The text of an observation source is not a pipeline this node can run."""

    def __init__(self, field: str, found: object, allowed: str) -> None:
        super().__init__(field, found, allowed)
        self.field = field
        self.found = found
        self.allowed = allowed

    def __str__(self) -> str:
        return f"{self.field}: found {self.found!r}, allowed: {self.allowed}"


class TaskError(Exception):
    """A task failed; its text becomes the task's error."""


class RunError(TaskError):
    """A run ended without a value that can be observed."""
