"""Pipelines as graphs of tasks."""

import graphlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.oracle.pipeline.errors import SpecificationError
from services.oracle.pipeline.graph import Pipeline
from services.oracle.pipeline.tasks.bridge import BridgeTask


def test_a_source_as_operators_write_it() -> None:
    """Values in quotes, in angles and bare, comments and chains are read as Chainlink reads them."""
    pipeline = Pipeline.parse(r"""
        // one source
        ds1 [type=bridge name="agg-btc-usd" requestData="{\"data\":{\"pair\":\"BTC/USD\"}}" timeout="5s"];
        # another
        ds2 [type=bridge name=other requestData=<{"data": {"q": "a -} b"}}> failEarly=true
             headers="[\"X-A\",\"1\"]" retries=2 minBackoff="10ms" maxBackoff="1s"]
        p1 [type=jsonparse path="data,result"]; p2 [type=jsonparse path="result" lax=true]
        m [type=median index=0]; x [type=MULTIPLY times=100000000]
        ds1 -> p1 -> m
        ds2 -> p2 -> m -> x
    """)
    steps = {step.id: step for step in pipeline.steps}
    first, second = steps["ds1"].task, steps["ds2"].task

    assert ("x",) == pipeline.terminals
    assert ("p1", "p2") == steps["m"].inputs
    assert "multiply" == steps["x"].kind
    assert 5.0 == steps["ds1"].timeout_s
    assert (0, 5.0, 60.0) == _backoff(steps["ds1"])
    assert steps["ds2"].timeout_s is None
    assert steps["ds2"].common.fail_early
    assert (2, 0.01, 1.0) == _backoff(steps["ds2"])
    assert isinstance(first, BridgeTask)
    assert isinstance(second, BridgeTask)
    assert '{"data":{"pair":"BTC/USD"}}' == first.request_data
    assert '{"data": {"q": "a -} b"}}' == second.request_data
    assert ["agg-btc-usd", "other"] == sorted(pipeline.bridges())


def _backoff(step: object) -> tuple[int, float, float]:
    common = step.common  # type: ignore[attr-defined]
    return common.retries, common.min_backoff_s, common.max_backoff_s


def test_a_variable_is_a_dependency() -> None:
    """A task that names another by `$(…)` waits for it, without taking it as an input; itself and strangers it may."""
    pipeline = Pipeline.parse('b [type=jsonparse data="$(a)" path="$(b),$(zz)"] a [type=http url="http://x/"]')

    assert ["a", "b"] == [step.id for step in pipeline.steps]
    assert () == pipeline.steps[1].inputs
    assert frozenset("a") == pipeline.steps[1].needs


def test_index_orders_inputs_and_results() -> None:
    """`index` decides the order of inputs and of results before the place in the text does."""
    three = 'b [type=memo index=1] a [type=http url="http://x/" index=0] '

    assert ("a", "b") == Pipeline.parse(three + "m [type=median] b -> m a -> m").steps[-1].inputs
    assert ("a", "b") == Pipeline.parse(three).terminals


def test_equal_indexes() -> None:
    """Of inputs without an index the one that is named first comes first, whichever edge is."""
    source = "c [type=memo] b [type=memo] m [type=any] b -> m; c -> m"

    assert ("c", "b") == Pipeline.parse(source).steps[-1].inputs


def test_unknown_attributes() -> None:
    """Attributes that a type of task does not have are let through, as the node does, and named."""
    pipeline = Pipeline.parse("m [type=memo colour=red value=1] s [type=sum Values=<[1]> lax=true] m -> s")

    assert ("m.colour", "s.lax") == pipeline.unknown_attributes


def test_attributes_in_any_case() -> None:
    """The names of attributes are read in upper or lower case; that of the type is not."""
    (step,) = Pipeline.parse('a [type=http URL="http://x/" allowunrestrictednetworkaccess=true TIMEOUT="1s"]').steps

    assert 1.0 == step.timeout_s
    with pytest.raises(SpecificationError, match=r"a\.type: found 'nothing'"):
        Pipeline.parse("a [TYPE=memo]")


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ("a [type=", "observationSource"),
        ("", "observationSource"),
        ("// nothing", "observationSource"),
        ("a [type=nonsense]", r"observationSource\.a\.type"),
        ("a [name=x]", r"observationSource\.a\.type"),
        ("a [type=bridge name=x async=true]", r"observationSource\.a\.async"),
        ("a [type=bridge name=x timeout=soon]", r"observationSource\.a\.timeout"),
        ('a [type=bridge name=x timeout=""]', r"observationSource\.a\.timeout"),
        ('a [type=bridge name=x timeout="٣s"]', r"observationSource\.a\.timeout"),
        ("a [type=http minBackoff=5]", r"observationSource\.a\.minBackoff"),
        ("a [type=http retries=-1]", r"observationSource\.a\.retries"),
        ("a [type=http retries=x]", r"observationSource\.a\.retries"),
        ('a [type=http retries="٣"]', r"observationSource\.a\.retries"),
        ("a [type=memo failEarly=perhaps]", r"observationSource\.a\.failEarly"),
        ("a [type=memo index=first]", r"observationSource\.a\.index"),
        ("a [type=memo index=-1]", r"observationSource\.a\.index"),
        ('a [type=memo index="٣"]', r"observationSource\.a\.index"),
        ("a [type=memo index=99999999999]", r"observationSource\.a\.index"),
        ('a [type=memo index=2] b [type=memo index="0x2"]', "duplicate sorting indexes"),
        ("input [type=memo]", "reserved"),
        ('"a" [type=memo] a [type=memo]', "two tasks of this name"),
        ("a [type=bridge name=x] a -> b", r"observationSource\.b"),
        ("a [type=sum] b [type=sum] a -> b b -> a", "cycle"),
        ('a [type=sum values="$(b)"] b [type=sum] a -> b', "cycle"),
    ],
)
def test_sources_that_are_refused(source: str, field: str) -> None:
    """Whatever is no pipeline is refused by the name of the task and the attribute."""
    with pytest.raises(SpecificationError, match=field):
        Pipeline.parse(source)


@pytest.mark.parametrize(
    "source",
    [
        "a [type=bridge]",
        "a [type=multiply]",
        "a [type=sum lax=perhaps]",
        "a [type=median allowedFaults=-1]",
        "a [type=http method=BREW url=x]",
        "a [type=memo index=010] b [type=memo]",
    ],
)
def test_sources_that_fail_only_when_they_run(source: str) -> None:
    """What only a run finds out, as with the node, does not keep a job from being made."""
    assert Pipeline.parse(source).steps


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_the_order_keeps_every_edge(shape: tuple[int, set[tuple[int, int]]]) -> None:
    """Of any graph either a cycle is told, or every task stands behind those that it needs."""
    count, edges = shape
    wanted = {(one, other) for one, other in edges if one != other}
    source = " ".join(f"t{i} [type=any]" for i in range(count)) + "".join(f"; t{a} -> t{b}" for a, b in wanted)
    try:
        graphlib.TopologicalSorter({other: [one for one, to in wanted if to == other] for _, other in wanted}).prepare()
    except graphlib.CycleError:
        with pytest.raises(SpecificationError, match="cycle"):
            Pipeline.parse(source)
        return
    steps = Pipeline.parse(source).steps
    place = {step.id: i for i, step in enumerate(steps)}
    assert count == len(place)
    assert all(place[f"t{one}"] < place[f"t{other}"] for one, other in wanted)
