"""
Errors of pipelines.

Exception
├── SpecificationError   the DOT text is no pipeline: its text says why, in the words of a Chainlink node
└── TaskError            a task failed: its text is the task's error, in the words of a Chainlink node
    ├── ParameterEmpty   a parameter has no value in this place: the next place is looked at
    └── RunError         a run has no usable result
"""


class SpecificationError(Exception):
    """The text of an observation source is not a pipeline this node can run; in the words of a Chainlink node."""


class TaskError(Exception):
    """
    A task failed; its text becomes the task's error.

    Attributes:
        retryable: Whether another attempt might succeed.
    """

    def __init__(self, text: str, *, retryable: bool = False) -> None:
        super().__init__(text)
        self.retryable = retryable


# The name of the price aggregator's error for a clock that most timed sources contradict.
OWN_CLOCK_OFF = "OWN_CLOCK_OFF"


class ParameterEmpty(TaskError):
    """A parameter is not given here."""

    def __init__(self) -> None:
        super().__init__("parameter is empty")


class RunError(TaskError):
    """A run ended without a value that can be observed."""


def bad_input(text: object) -> TaskError:
    """Return the error of a value that a task cannot take."""
    return TaskError(f"{text}: bad input for task")
