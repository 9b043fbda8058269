"""The context of reports."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainlink.ocr.report_context import ReportContext, context_tag, read_context_tag


@given(st.binary(min_size=16, max_size=16), st.integers(0, 2**32 - 1), st.integers(0, 255))
def test_a_tag_reads_as_it_was_written(digest: bytes, epoch: int, round_number: int) -> None:
    """A tag has 32 bytes, the digest and the round at their places, and gives them back."""
    tag = context_tag(digest, epoch, round_number)

    assert (32, digest, round_number) == (len(tag), tag[11:27], tag[31])
    assert ReportContext(digest, epoch, round_number) == read_context_tag(tag)


@pytest.mark.parametrize("tag", [b"", bytes(31), bytes(33)])
def test_what_is_no_tag(tag: bytes) -> None:
    """Bytes of another length are no context; the contract takes any padding, and so does the reader."""
    assert ReportContext(bytes(16), 0, 0) == read_context_tag(b"\xff" * 11 + bytes(21))
    with pytest.raises(ValueError, match="allowed: 32"):
        read_context_tag(tag)
