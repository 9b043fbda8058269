"""Reading observation sources."""

import pytest

from services.oracle.pipeline.bridge import BridgeTask
from services.oracle.pipeline.errors import SpecificationError
from services.oracle.pipeline.graph import Pipeline


def test_a_source_as_operators_write_it() -> None:
    """Values in quotes, in angles and bare, comments and chains are read as Chainlink reads them."""
    pipeline = Pipeline.parse(r"""
        // one source
        ds1 [type=bridge name="agg-btc-usd" requestData="{\"data\":{\"pair\":\"BTC/USD\"}}" timeout=5s];
        # another
        ds2 [type=bridge name=other requestData=<{"data": {"q": "a -> b"}}> failEarly=true
             headers="[\"X-A\",\"1\"]" retries=2 minBackoff=10ms]
        p1 [type=jsonparse path="data,result"]; p2 [type=jsonparse path="result" lax=true]
        m [type=median index=0]; x [type=multiply times=100000000]
        ds1 -> p1 -> m
        ds2 -> p2 -> m -> x
    """)
    steps = {step.id: step for step in pipeline.steps}
    first, second = steps["ds1"].task, steps["ds2"].task

    assert "x" == pipeline.terminal
    assert ("p1", "p2") == steps["m"].inputs
    assert 5.0 == steps["ds1"].timeout_s
    assert steps["ds2"].fail_early
    assert isinstance(first, BridgeTask)
    assert isinstance(second, BridgeTask)
    assert '{"data":{"pair":"BTC/USD"}}' == first.request_data
    assert '{"data": {"q": "a -> b"}}' == second.request_data
    assert ["agg-btc-usd", "other"] == sorted(pipeline.bridges())


def test_a_variable_is_a_dependency() -> None:
    """A task that names another by `$(…)` waits for it, without taking it as an input."""
    pipeline = Pipeline.parse('a [type=http url="http://x/"] b [type=jsonparse data=$(a) path="x"]')

    assert ["a", "b"] == [step.id for step in pipeline.steps]
    assert () == pipeline.steps[1].inputs


def test_index_orders_inputs() -> None:
    """`index` decides the order of inputs before the place in the text does."""
    pipeline = Pipeline.parse(
        'b [type=http url="http://x/" index=1] a [type=http url="http://x/" index=0] m [type=median] b -> m a -> m'
    )

    assert ("a", "b") == pipeline.steps[-1].inputs


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ("a [type=", "observationSource"),
        ("", "observationSource"),
        ("a [type=nonsense]", r"observationSource\.a\.type"),
        ("a [name=x]", r"observationSource\.a\.type"),
        ("a [type=bridge]", r"observationSource\.a\.name"),
        ('a [type=bridge name=""]', r"observationSource\.a\.name"),
        ("a [type=bridge name=x async=true]", r"observationSource\.a\.async"),
        ("a [type=bridge name=x tiemout=5s]", r"observationSource\.a\.tiemout"),
        ("a [type=bridge name=x timeout=soon]", r"observationSource\.a\.timeout"),
        ("a [type=multiply]", r"observationSource\.a\.times"),
        ("a [type=sum lax=perhaps]", r"observationSource\.a\.lax"),
        ("a [type=median allowedFaults=-1]", r"observationSource\.a\.allowedFaults"),
        ("a [type=bridge name=x] a [type=bridge name=y]", r"observationSource\.a"),
        ("a [type=bridge name=x] a -> b", r"observationSource\.b"),
        ("a [type=sum] b [type=sum] a -> b b -> a", "cycle|observationSource"),
        ("a [type=bridge name=x] b [type=bridge name=y]", "2 terminal tasks"),
        ("a [type=multiply times=$(nothing)]", r"\$\(nothing\)"),
        ("subgraph x { a [type=bridge name=x] }", "subgraph"),
        ("a [type=http method=BREW url=x]", r"observationSource\.a\.method"),
        ("a [type=sum index=first]", r"observationSource\.a\.index"),
    ],
)
def test_sources_that_are_refused(source: str, field: str) -> None:
    """Whatever is no pipeline is refused by the name of the task and the attribute."""
    with pytest.raises(SpecificationError, match=field):
        Pipeline.parse(source)
