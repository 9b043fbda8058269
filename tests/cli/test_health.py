import subprocess
import sys
from pathlib import Path

import pytest

from cli import health


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no verdict yet: {path} does not exist (is the mesh running?)"),
        ("{", "no verdict: {path} is damaged"),
        ("[]", "no verdict: {path} is damaged"),
        ('{"well": true}', "no verdict: {path} is damaged (KeyError('words'))"),
    ],
)
def test_what_is_no_verdict_fails(tmp_path: Path, content: str | None, words: str) -> None:
    """Without a verdict that can be read the check fails, and says what is there instead."""
    path = tmp_path / "verdict.json"
    if content is not None:
        path.write_text(content)
    found = health.read(path, 0)
    assert not found.well
    assert found.words.startswith(words.format(path=path))


@pytest.mark.parametrize(("well", "code"), [("true", 0), ("false", 1)])
def test_the_command(tmp_path: Path, well: str, code: int) -> None:
    """One line on standard output, and the exit code; no library of ours or of others is imported."""
    (tmp_path / "verdict").mkdir()
    now_ms = "9999999999999"  # from the future, so it is never old
    (tmp_path / "verdict" / "verdict.json").write_text(
        f'{{"well": {well}, "words": "in words", "time_ms": {now_ms}, "period_s": 5.0}}'
    )
    script = (
        "import sys; from cli.health import main; code = main(); "
        "heavy = {'typer', 'rich', 'aiohttp', 'grpc', 'pydantic', 'asyncio'} & set(sys.modules); "
        "sys.exit(f'imported: {heavy}' if heavy else code)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={"FEEDMESH_RUN_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (code, "in words\n", "") == (ran.returncode, ran.stdout, ran.stderr)
