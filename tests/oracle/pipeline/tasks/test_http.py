"""The http task against a real HTTP server."""

import pytest

from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.fetch import Fetcher
from tests.oracle.pipeline.adapter import Adapter, result_of


async def test_http(adapter: Adapter, fetcher: Fetcher) -> None:
    """A literal URL may be anywhere; a computed one must not lead into this network unless it is allowed to."""
    url = f"{adapter.url}/p?x=1"
    adapter.says("/p", "9", 201)

    assert "9" == await result_of(f'x [type=http method=POST url="{url}" requestData="{{}}"]', fetcher)
    assert "{}" == adapter.received[0][2]
    with pytest.raises(TaskError, match="local/private"):
        await result_of('x [type=http url="$(jobRun.url)"]', fetcher, jobRun={"url": url})
    allowed = 'x [type=http url="$(jobRun.url)" allowUnrestrictedNetworkAccess=true]'
    assert "9" == await result_of(allowed, fetcher, jobRun={"url": url})
    assert "" == adapter.received[1][2]
    with pytest.raises(TaskError, match="local/private"):
        await result_of(f'x [type=http url="{url}" allowUnrestrictedNetworkAccess=false]', fetcher)


async def test_failures(adapter: Adapter, fetcher: Fetcher) -> None:
    """A status from 400 on is a failure, with what the server says of it; none below is."""
    adapter.says("/p", {"error": "gone"}, 410)
    adapter.says("/p", {"errorMessage": "slow down"}, 500)
    adapter.says("/p", "9", 302)
    source = f'x [type=http url="{adapter.url}/p"]'

    with pytest.raises(TaskError, match=r"got error from http://127.0.0.1:\d+/p: \(status code 410\) gone"):
        await result_of(source, fetcher)
    with pytest.raises(TaskError, match=r"\(status code 500\) slow down"):
        await result_of(source, fetcher)
    assert "9" == await result_of(source, fetcher)


async def test_retries(adapter: Adapter, fetcher: Fetcher) -> None:
    """A failure that may pass is tried again, as often as the task says."""
    for body, status in (("", 502), ("", 503), ("5", 200)):
        adapter.says("/p", body, status)
    source = f'x [type=http url="{adapter.url}/p" retries=%d minBackoff="1ms" maxBackoff="2ms"]'

    with pytest.raises(TaskError, match="503"):
        await result_of(source % 1, fetcher)
    assert "5" == await result_of(source % 1, fetcher)
    assert 3 == len(adapter.received)


@pytest.mark.parametrize(
    ("attributes", "error"),
    [
        ("", "url: parameter is empty"),
        ("url=x", 'url: parse "x": invalid URI for request'),
        ('url="::::"', "url: parse"),
        ('url="http://x y/"', "url: parse"),
        ('url="http://127.0.0.1:1/" method="BR EW"', "method: failed to create http.Request"),
        ('url="http://127.0.0.1:1/" allowUnrestrictedNetworkAccess=perhaps', "allowUnrestrictedNetworkAccess: strconv"),
        ('url="http://127.0.0.1:1/" requestData=<[]>', "requestData: expected map"),
        ('url="http://127.0.0.1:1/" headers=<["a"]>', "even number"),
        ('url="http://127.0.0.1:70000/"', "error making http request"),
        ('url="http://nowhere.invalid/" timeout="2s"', "error making http request|timed out"),
        ('url="http://127.0.0.1:1/" headers="[\\"a b\\",\\"\\\\n\\"]"', "error making http request"),
    ],
)
async def test_bad_requests(fetcher: Fetcher, attributes: str, error: str) -> None:
    """What cannot be asked is an error of the task, by the name of the attribute."""
    with pytest.raises(TaskError, match=error):
        await result_of(f"x [type=http {attributes}]", fetcher)


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3", "[::1]", "localhost", "db.internal", "169.254.169.254"])
async def test_private_hosts(fetcher: Fetcher, host: str) -> None:
    """A computed URL reaches no host of this network."""
    with pytest.raises(TaskError, match="local/private"):
        await result_of('x [type=http url="$(jobRun.url)"]', fetcher, jobRun={"url": f"http://{host}/"})
