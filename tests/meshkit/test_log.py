"""Structured logging."""

import logging
import subprocess
import sys
from collections.abc import Iterator

import orjson
import pytest
import structlog

from meshkit import log


@pytest.fixture(name="_clean", autouse=True)
def _clean_fixture() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def test_event_is_one_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    """An event is one JSON object with service, level and its fields."""
    log.configure("operator")
    log.get_logger("x").info("round_finished", feed="BTC / USD", round=3)

    event = orjson.loads(capsys.readouterr().out)
    assert tuple(event[key] for key in ("service", "level", "event", "feed", "round")) == (
        "operator",
        "info",
        "round_finished",
        "BTC / USD",
        3,
    )


def test_secrets_never_appear(capsys: pytest.CaptureFixture[str]) -> None:
    """A registered secret is censored in fields, nested values, exceptions and library logs."""
    log.configure("operator")
    log.add_secret("s3cret-value")
    try:
        raise RuntimeError("bad login with s3cret-value")
    except RuntimeError:
        log.get_logger("x").exception("failed", url="http://u:s3cret-value@h", nested={"a": ["s3cret-value"]})
    logging.getLogger("library").warning("sent %s", "s3cret-value")

    output = capsys.readouterr().out
    assert "s3cret-value" not in output
    assert output.count(log.CENSORED) >= 4


def test_level_filters(capsys: pytest.CaptureFixture[str]) -> None:
    """Events below the level are not written."""
    log.configure("operator", "warning")
    log.get_logger("x").info("quiet")

    assert capsys.readouterr().out == ""


def test_logging_loads_no_terminal_graphics() -> None:
    """A service's log needs no rich, which the command line may still load afterwards."""
    script = "import sys, meshkit.log; print('rich.console' in sys.modules); import rich.console"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert "False\n" == run.stdout


def test_what_repeats_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The same warning is written once while it goes on, and its end has the count; how it is folded is not written."""
    log.configure("test-service")
    logger = log.get_logger("x")
    for number in range(3):
        logger.warning("chain_lost", error=f"no answer after {number} s", feed=str(number), folded_over=("feed",))
    logger.info("chain_back", ends="chain_lost")
    lines = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert [("chain_lost", None), ("chain_back", 2)] == [(line["event"], line.get("repeated")) for line in lines]
    assert not any({"folded_over", "ends"} & line.keys() for line in lines)
