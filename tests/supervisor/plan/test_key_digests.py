"""Configurations compared key by key."""

import json

from hypothesis import given
from hypothesis import strategies as st

from meshkit.configuration.solution import Configuration
from services.supervisor.plan.key_digests import differing_keys, digests
from tests.meshkit.configuration.leaves import changed, leaves, whole
from tests.supervisor.plan.conftest import SIGNED

BASE = whole(json.loads(SIGNED.read_text()))
LEAVES = dict(leaves(BASE))
KEYS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(".".join)
DIGESTS = st.dictionaries(KEYS, st.sampled_from("xy"), max_size=8)


@given(st.sampled_from(sorted(LEAVES)))
def test_each_value_has_its_key(place: str) -> None:
    """Another value differs at its own key or below it, and nowhere else."""
    other: Configuration = changed(BASE, LEAVES[place])
    found = differing_keys(digests(BASE), digests(other))

    assert found
    assert all(key == place or key.startswith(f"{place}.") for key in found)


def test_no_secret_is_in_a_digest() -> None:
    """Neither a key nor its digest shows a value."""
    text = json.dumps(digests(BASE))
    solution = BASE.solution

    for secret in (solution.pg_password, solution.chainlink_password, solution.faucet_private_key):
        assert secret.get_secret_value() not in text


@given(DIGESTS, DIGESTS)
def test_what_differs_is_named_and_only_that(old: dict[str, str], new: dict[str, str]) -> None:
    """Each difference is at or below a named key; below each named key there is one."""
    found = differing_keys(old, new)
    differing = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}

    assert [] == [key for key in differing if not any(key == name or key.startswith(f"{name}.") for name in found)]
    assert [] == [name for name in found if not any(key == name or key.startswith(f"{name}.") for key in differing)]
    assert (found == ()) == (old == new)
