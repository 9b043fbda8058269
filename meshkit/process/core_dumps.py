"""No core dumps: they would carry the secrets of the process."""

import resource


def forbid() -> None:
    """Have the kernel write no core file of this process and of those that it starts."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
