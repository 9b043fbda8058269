"""The configuration as TOML."""

import tomllib
from dataclasses import replace
from pathlib import Path

from services.oracle.rest.config_text import toml_of
from services.oracle.settings import Config, read_config
from tests.oracle.test_settings import CONFIG, written


def test_all_and_what_was_said(tmp_path: Path) -> None:
    """What is shown is TOML that reads as the same configuration; durations, sizes and wei are as Go writes them."""
    config = read_config(written(tmp_path, "config.toml", CONFIG))
    everything, said = toml_of(config), toml_of(config, said_only=True)

    for text in (everything, said):
        assert config == Config.read(tomllib.loads(text))
    assert len(said) < len(everything)
    assert {"DeltaReconcile = '1m0s'", "HTTPMaxSize = '1.00mb'", "TipCapDefault = '1 wei'"} <= set(
        everything.split("\n")
    )
    assert "Transactions" in everything
    assert "Transactions" not in said


def test_texts_with_quotes(tmp_path: Path) -> None:
    """A value with quotes or line ends is still one value."""
    config = read_config(written(tmp_path, "config.toml", CONFIG))
    odd = replace(config, root_dir='it\'s\n"here"\\')

    assert 'it\'s\n"here"\\' == tomllib.loads(toml_of(odd))["RootDir"]
