"""Import a library without an optional package that it would load where it finds it, and that we do not use."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast


@contextmanager
def without(name: str) -> Iterator[None]:
    """Let the imports inside find no such package, unless it is loaded already."""
    absent = cast(dict[str, object], sys.modules)
    # None in the table of modules is how an import is told that there is nothing.
    is_ours = absent.setdefault(name, None) is None
    try:
        yield
    finally:
        if is_ours:
            del absent[name]
