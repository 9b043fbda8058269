"""What the image is made of."""

from pathlib import Path

from scripts.checks import image_imports

DOCKERFILE = """
FROM base AS python
COPY requirements.lock ./
COPY --from=other /usr/bin/x /usr/bin/x
COPY --chmod=755 pkg/__init__.py \\
     pkg/__main__.py pkg/
COPY gen gen
COPY tool /usr/local/bin/tool
"""


def tree(root: Path) -> None:
    """Make the files of a small product, and one that the image lacks."""
    for name in ("requirements.lock", "pkg/__init__.py", "pkg/__main__.py", "pkg/extra.py", "gen/a/b.py", "tool"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")


def test_what_is_copied_from_the_checkout() -> None:
    """Copies between stages are none; options and continued lines are understood."""
    assert [
        (["requirements.lock"], "./"),
        (["pkg/__init__.py", "pkg/__main__.py"], "pkg/"),
        (["gen"], "gen"),
        (["tool"], "/usr/local/bin/tool"),
    ] == list(image_imports.copies(DOCKERFILE))


def test_only_what_is_copied_is_laid_out(tmp_path: Path) -> None:
    """Files and folders come where the Dockerfile puts them; what it does not copy is not there."""
    root, target = tmp_path / "root", tmp_path / "target"
    tree(root)
    image_imports.lay_out(root, DOCKERFILE, target)
    found = sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())
    assert ["gen/a/b.py", "pkg/__init__.py", "pkg/__main__.py", "requirements.lock"] == found


def test_a_module_that_the_image_lacks_is_a_fault(tmp_path: Path) -> None:
    """A program whose import is not copied, or is of a package that is not locked, is named with the reason."""
    tree(tmp_path)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "pkg/__main__.py").write_text("from pkg import extra\n")
    assert ["pkg: ImportError: cannot import name 'extra' from 'pkg'"] == [
        line.partition(" (")[0] for line in image_imports.faults(tmp_path)
    ]
    (tmp_path / "pkg/__main__.py").write_text("import base58\n")
    assert ["pkg: ModuleNotFoundError: base58 is of no package in requirements.lock"] == list(
        image_imports.faults(tmp_path)
    )
    (tmp_path / "requirements.lock").write_text("base58==2 \\\n    --hash=sha256:00\n")
    assert [] == list(image_imports.faults(tmp_path))
