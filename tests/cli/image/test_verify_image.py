"""Whether three files speak of one image."""

import base64
import hashlib
import json
from pathlib import Path

import pytest

from cli.errors import CliError, UsageError
from cli.image import verify_image

ARCHIVE = b"an archive of layers" * 1000
SUM = hashlib.sha256(ARCHIVE).hexdigest()
OTHER = hashlib.sha256(b"another").hexdigest()


@pytest.fixture(name="image")
def _image(tmp_path: Path) -> Path:
    path = tmp_path / "image.tar"
    path.write_bytes(ARCHIVE)
    return path


def write(path: Path, content: object) -> Path:
    """Write text as it is, all else as JSON."""
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(
    "report",
    [
        {"solution": {"hash": SUM}, "data": {"hash": OTHER}},
        {"images": [f"registry/feedmesh@sha256:{SUM}"]},
        {"hash": {"hash": base64.b64encode(bytes.fromhex(SUM)).decode(), "encoding": "base64", "hashAlgo": "sha256"}},
        f"{OTHER}  data.tar\n{SUM.upper()}  image.tar\n",
        f"0x{SUM}",
    ],
)
def test_the_same_image(tmp_path: Path, image: Path, report: object) -> None:
    """The report may name more than the image, in hex or base64, in JSON or text."""
    resource = write(tmp_path / "resource.json", {"resource": {"filepath": "image.tar"}, "hash": SUM})

    assert 0 == verify_image.show(image, write(tmp_path / "report", report), resource, as_json=False)


@pytest.mark.parametrize("wrong", ["image", "report", "resource"])
def test_another_image_is_named(tmp_path: Path, image: Path, wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whichever of the three differs, the command fails and shows the sums that do not agree."""
    report = write(tmp_path / "report", {"hash": OTHER if wrong == "report" else SUM})
    resource = write(tmp_path / "resource", {"hash": OTHER if wrong == "resource" else SUM})
    if wrong == "image":
        image.write_bytes(ARCHIVE + b".")

    with pytest.raises(CliError, match=OTHER if wrong != "image" else SUM):
        verify_image.show(image, report, resource, as_json=False)
    assert 1 == verify_image.show(image, report, resource, as_json=True)
    assert json.loads(capsys.readouterr().out)["ok"] is False


def test_a_resource_with_a_second_sum_is_refused(tmp_path: Path, image: Path) -> None:
    """The resource file is of one file: what else it may name is not the image."""
    report = write(tmp_path / "report", {"hash": SUM})
    resource = write(tmp_path / "resource", {"hash": SUM, "other": OTHER})

    with pytest.raises(CliError, match="the resource file has"):
        verify_image.show(image, report, resource, as_json=False)


@pytest.mark.parametrize("text", [f"sha256:{SUM}", f"{SUM}  image.tar\n", SUM.upper()])
def test_the_image_may_be_named_by_its_sum(tmp_path: Path, text: str) -> None:
    """What `podman --digestfile` or `sha256sum` wrote stands for the image."""
    assert SUM == verify_image.image_sum(write(tmp_path / "digest", text))


@pytest.mark.parametrize("content", ["", "{}", "[]", SUM[:-1], SUM + "0", '{"hash": "' + "g" * 64 + '"}'])
def test_a_file_without_a_sum_is_refused(tmp_path: Path, content: str) -> None:
    """Nothing that only looks like a sum is taken for one; the option is named."""
    with pytest.raises(UsageError, match=r"--report: .* has no SHA-256 sum"):
        verify_image.sums_in(write(tmp_path / "report", content), "--report")


@pytest.mark.parametrize("option", ["image", "report", "resource"])
def test_a_missing_file_is_named(tmp_path: Path, image: Path, option: str) -> None:
    """A file that cannot be read is named with its option."""
    file = write(tmp_path / "file", {"hash": SUM})
    files = {"image": image, "report": file, "resource": file} | {option: tmp_path / "absent"}

    with pytest.raises(UsageError, match=f"--{option}: .*absent cannot be read: No such file"):
        verify_image.show(**files, as_json=False)


def test_two_sums_of_the_image_are_refused(tmp_path: Path) -> None:
    """A short text with two sums says nothing about which is the image's."""
    with pytest.raises(UsageError, match="has 2 SHA-256 sums"):
        verify_image.image_sum(write(tmp_path / "digests", f"{SUM}\n{OTHER}\n"))
