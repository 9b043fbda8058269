"""Circles of imports, and the modules that too few use."""

from scripts.checks import imports


def test_a_circle_is_named() -> None:
    """A circle is told as the way round, however many modules hang on it."""
    found = list(imports.circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}))
    assert 1 == len(found)
    ways = {"a → b → c → a", "b → c → a → b", "c → a → b → c"}
    assert found[0].removeprefix("imports go in a circle: ") in ways


def test_no_circle_is_no_fault() -> None:
    """A diamond is none."""
    assert [] == list(imports.circle({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}))


def test_services_are_parts_of_their_own() -> None:
    """Each service counts for itself, the command line as a whole."""
    assert "services.oracle" == imports.part("services.oracle.p2p.transport.frames")
    assert "cli" == imports.part("cli.commands.quote")


GRAPH = {
    "meshkit": set[str](),
    "meshkit.rpc.server": {"meshkit.rpc.interceptors"},
    "meshkit.rpc.interceptors": set[str](),
    "meshkit.rare": set[str](),
    "services.a.app": {"meshkit.rpc.server", "meshkit.rare"},
    "services.b.app": {"meshkit.rpc.server"},
    "services.b.more": {"meshkit.rare"},
    "cli.app": {"meshkit.rpc.server"},
}


def test_use_through_another_module_counts() -> None:
    """Three parts use the server, so they use what it stands on; two are too few."""
    assert ["meshkit.rare: used by services.a, services.b; meshkit holds what at least 3 parts use"] == list(
        imports.lonely(GRAPH, {})
    )


def test_a_reason_excuses_and_must_be_needed() -> None:
    """Who is listed with a reason may have few users; a reason for nothing is a fault."""
    assert [] == list(imports.lonely(GRAPH, {"meshkit.rare": "because"}))
    assert ["meshkit.rpc.server: a reason is given for few users, but it is gone or has enough"] == list(
        imports.lonely(GRAPH, {"meshkit.rare": "because", "meshkit.rpc.server": "because"})
    )
