"""Which modules are compiled by the set-up."""

from pathlib import Path

from scripts.compile_modules import modules

LOCK = "aio-thing==1.0 \\\n    --hash=sha256:00\nzope.other==2.0 \\\n    --hash=sha256:00\n"


def installed(site: Path, name: str, *files: str) -> None:
    """Let a package with these files be installed."""
    record = site / f"{name}.dist-info/RECORD"
    record.parent.mkdir(parents=True)
    record.write_text("".join(f"{file},sha256=abc,1\n" for file in files))


def test_only_what_the_processes_need_is_compiled(tmp_path: Path) -> None:
    """Packages of the lock file are found under any spelling, without their tests; others are left out."""
    installed(tmp_path, "aio_thing-1.0", "aio_thing/__init__.py", "aio_thing/tests/test_it.py", "aio_thing/data.json")
    installed(tmp_path, "zope_other-2.0", "zope/other.py", "../../bin/other")
    installed(tmp_path, "developers_tool-3.0", "developers_tool/__init__.py")

    assert [tmp_path / "aio_thing/__init__.py", tmp_path / "zope/other.py"] == list(modules(tmp_path, LOCK))
