"""What uv is told of pip's settings."""

from scripts import run_uv


def test_what_is_nearer_to_the_call_wins() -> None:
    """A variable is over the section `install`, and that over `global`; other commands' settings are nothing."""
    listing = (
        "global.index-url='https://global.example/simple'\n"
        "install.index-url='https://install.example/simple'\n"
        "wheel.index-url='https://wheel.example/simple'\n"
        ":env:.find-links='/wheels'\n"
        "global.find-links='/other'\n"
        ":env:.config-file='/etc/pip.conf'\n"
    )
    settings = run_uv.pip_settings(listing)
    assert {
        "index-url": "https://install.example/simple",
        "find-links": "/wheels",
        "config-file": "/etc/pip.conf",
    } == settings


def test_a_machine_without_settings_leaves_uv_its_defaults() -> None:
    """Nothing is said of an index where pip was told of none."""
    told = run_uv.environment(run_uv.pip_settings(""), {"PATH": "/bin"})
    assert [] == [name for name in told if "INDEX" in name and name != "UV_INDEX_STRATEGY"]
    assert "/bin" == told["PATH"]


def test_settings_of_pip_become_variables_of_uv() -> None:
    """Index, further indexes, places of files, hosts, certificates and time arrive in the form that uv reads."""
    settings = {
        "index-url": "https://one.example/simple",
        "extra-index-url": "\nhttps://two.example/simple\nhttps://three.example/simple",
        "find-links": "/wheels /more-wheels",
        "trusted-host": "one.example\ntwo.example",
        "cert": "/etc/ssl/bundle.pem",
        "timeout": "60",
    }
    told = run_uv.environment(settings, {})
    assert {
        "UV_DEFAULT_INDEX": "https://one.example/simple",
        "UV_INDEX": "https://two.example/simple https://three.example/simple",
        "UV_FIND_LINKS": "/wheels,/more-wheels",
        "UV_INSECURE_HOST": "one.example two.example",
        "SSL_CERT_FILE": "/etc/ssl/bundle.pem",
        "UV_HTTP_TIMEOUT": "60",
    }.items() <= told.items()


def test_variables_of_uv_are_left_alone() -> None:
    """Who set one of uv's own variables meant uv."""
    given = {"UV_DEFAULT_INDEX": "https://mine.example/simple"}
    told = run_uv.environment({"index-url": "https://pip.example/simple"}, given)
    assert "https://mine.example/simple" == told["UV_DEFAULT_INDEX"]


def test_an_index_that_is_switched_off_stays_off() -> None:
    """`no-index` has no variable, and is an argument of `uv pip` only."""
    assert ["pip", "sync", "--no-index"] == run_uv.arguments({"no-index": "true"}, ["pip", "sync"])
    assert ["pip", "sync"] == run_uv.arguments({"no-index": "false"}, ["pip", "sync"])
    assert ["pip", "sync"] == run_uv.arguments({}, ["pip", "sync"])
    assert ["cache", "clean"] == run_uv.arguments({"no-index": "1"}, ["cache", "clean"])
