import sys

import pytest

from meshkit.optional_packages import without


def test_a_package_is_not_found() -> None:
    """Inside it cannot be imported, and afterwards it can."""
    sys.modules.pop("this", None)
    with without("this"), pytest.raises(ModuleNotFoundError):
        import this  # noqa: F401
    assert "this" not in sys.modules


def test_what_is_loaded_stays() -> None:
    """A package that somebody has loaded before is found inside as well."""
    with without("json"):
        import json
    assert json is sys.modules["json"]
