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
    with pytest.raises(SpecificationError, match='unknown task type: ""'):
        Pipeline.parse("a [TYPE=memo]")


_FAULTY = "UnmarshalTaskFromMap: decoding failed due to the following error(s):\n\n"
_CYCLE = "Unable to topologically sort the graph, cycle detected: topo: no topological ordering: cyclic components: "


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("", "empty pipeline"),
        (" \n", "empty pipeline"),
        ("a [type=nonsense]", 'UnmarshalTaskFromMap: unknown task type: "nonsense"'),
        ("a [name=x]", 'UnmarshalTaskFromMap: unknown task type: ""'),
        ("a [type=bridge name=x] a -> b", 'UnmarshalTaskFromMap: unknown task type: ""'),
        ("a [type=bridge timeout=soon]", _FAULTY + "error decoding 'timeout': time: invalid duration \"soon\""),
        ('a [type=bridge timeout=""]', _FAULTY + "error decoding 'timeout': time: invalid duration \"\""),
        ('a [type=bridge timeout="٣s"]', _FAULTY + "error decoding 'timeout': time: invalid duration \"٣s\""),
        (
            "a [type=http minBackoff=5]",
            _FAULTY + "error decoding 'minBackoff': time: missing unit in duration \"5\"",
        ),
        (
            "a [type=http retries=-1]",
            _FAULTY + "error decoding 'retries': strconv.ParseUint: parsing \"-1\": invalid syntax",
        ),
        (
            'a [type=http retries="٣"]',
            _FAULTY + "error decoding 'retries': strconv.ParseUint: parsing \"٣\": invalid syntax",
        ),
        (
            'a [type=http retries=4294967296 retries=""]',
            _FAULTY + "error decoding 'retries': strconv.ParseUint: parsing \"\": invalid syntax",
        ),
        (
            "a [type=memo failEarly=perhaps]",
            _FAULTY + "cannot parse 'failEarly' as bool: strconv.ParseBool: parsing \"perhaps\": invalid syntax",
        ),
        (
            "a [type=memo index=first retries=x]",
            _FAULTY + "cannot parse 'index' as int: strconv.ParseInt: parsing \"first\": invalid syntax\n"
            "error decoding 'retries': strconv.ParseUint: parsing \"x\": invalid syntax",
        ),
        (
            'a [type=memo index="٣"]',
            _FAULTY + "cannot parse 'index' as int: strconv.ParseInt: parsing \"٣\": invalid syntax",
        ),
        (
            "a [type=memo index=99999999999]",
            _FAULTY + "cannot parse 'index' as int: strconv.ParseInt: parsing \"99999999999\": value out of range",
        ),
        ("a [type=memo index=-1]", "UnmarshalTaskFromMap: result sorting indexes should start with 0"),
        ('a [type=memo index=2] b [type=memo index="0x2"]', "duplicate sorting indexes detected"),
        ("input [type=memo]", "'input' is a reserved keyword that cannot be used as a task's name"),
        ('"a" [type=memo] a [type=memo]', "found two tasks of the name a, with quotes and without: allowed: one"),
        ("a [type=sum] b [type=sum] a -> b b -> a", _CYCLE + "[[a b]]"),
        ('a [type=sum values="$(b)"] b [type=sum] a -> b', _CYCLE + "[[a b]]"),
        (
            "a [type=any]; b [type=any]; c [type=any]; d [type=any]; a -> b -> a; b -> c -> d -> c",
            _CYCLE + "[[a b] [c d]]",
        ),
    ],
)
def test_sources_that_are_refused(source: str, error: str) -> None:
    """Whatever is no pipeline is refused in the words of a real node, which names every attribute that is wrong."""
    with pytest.raises(SpecificationError) as refusal:
        Pipeline.parse(source)
    assert error == str(refusal.value)


def test_a_pipeline_without_tasks() -> None:
    """A text that says nothing is a pipeline, as it is to the node, and has no result."""
    assert ((), ()) == (Pipeline.parse("// nothing").steps, Pipeline.parse("// nothing").terminals)


def test_tasks_that_are_not_available() -> None:
    """Types of tasks that only a real node runs are taken and named; one that writes to a chain is asynchronous."""
    pipeline = Pipeline.parse('a [type=ethcall contract="0x0" data="0x"]; b [type=panic msg=x]; a -> b')

    assert (("a.ethcall", "b.panic"), (), False) == (
        pipeline.unavailable,
        pipeline.unknown_attributes,
        pipeline.is_asynchronous,
    )
    assert Pipeline.parse('a [type=ethtx to="0x0"]').is_asynchronous
    assert Pipeline.parse("a [type=bridge name=x async=true]").is_asynchronous


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
