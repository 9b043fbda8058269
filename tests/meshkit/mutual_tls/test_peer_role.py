"""Which role a certificate's URIs give its holder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.mutual_tls.peer_role import identity, node, role_in, role_of_call, role_of_connection

ROLES = st.sampled_from(["aggregator", "operator", "admin"]) | st.integers(1, 9999).map(node)


@given(ROLES, st.lists(st.sampled_from(["https://feedmesh/admin", "urn:spiffe:admin", ""]), max_size=3))
def test_the_one_identity_is_the_role(role: str, others: list[str]) -> None:
    """A certificate with one identity has its role, whatever other URIs it has."""
    assert role == role_in([*others, identity(role)])


@given(ROLES, ROLES)
def test_two_identities_are_none(first: str, second: str) -> None:
    """A certificate with two identities has no role, so that it cannot be taken for the stronger one."""
    assert role_in([identity(first), identity(second)]) is None


@pytest.mark.parametrize(
    "uri",
    [
        "spiffe://other/admin",
        "spiffe://feedmesh/admin/",
        "spiffe://feedmesh/node/0",
        "spiffe://feedmesh/node/02",
        "spiffe://feedmesh/node/2/admin",
        "spiffe://feedmesh/ADMIN",
        "SPIFFE://feedmesh/admin",
        "spiffe://feedmesh/admin\n",
        "spiffe://feedmesh/",
        "https://feedmesh/admin",
    ],
)
def test_nothing_that_only_looks_like_an_identity(uri: str) -> None:
    """What is no identity of this mesh, to the letter, names no role."""
    assert role_in([uri]) is None


def test_the_host_name_is_no_identity() -> None:
    """A certificate's host names and addresses give no role, only its URI does."""
    names = (("DNS", identity("admin")), ("URI", identity("node/3")))
    assert role_of_connection({"subjectAltName": names}) == "node/3"
    assert role_of_connection({"subjectAltName": names[:1]}) is None
    assert role_of_connection(None) is None
    assert role_of_call({"x509_subject_alternative_name": [identity("admin").encode()]}) is None
    assert role_of_call({"peer_uri": [identity("operator").encode()]}) == "operator"
