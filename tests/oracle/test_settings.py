"""The node's files."""

from pathlib import Path

import pytest

from services.oracle.errors import SettingInvalid
from services.oracle.settings import ApiCredentials, read_config, read_secrets

CONFIG = """
RootDir = '/data/node-1'
ShutdownGracePeriod = '15s'
[Feature]
FeedsManager = false
[Database]
MaxOpenConns = 20
[Log]
Level = 'warn'
[Log.File]
MaxSize = '0b'
[WebServer]
HTTPPort = 6688
ListenIP = '127.0.0.1'
SecureCookies = false
SessionTimeout = '24h'
HTTPMaxSize = '1mb'
[WebServer.RateLimit]
Authenticated = 10000
[JobPipeline.HTTPRequest]
DefaultTimeout = '10s'
MaxSize = '256kb'
[OCR]
Enabled = true
[P2P]
PeerID = '12D3KooWEPQwY5VuK7m6GfFujirKAs7kJQ7QCeDLqFJFrRRTXQDR'
[P2P.V2]
ListenAddresses = ['0.0.0.0:9901']
DeltaDial = '1s'
[[EVM]]
ChainID = '5611'
[EVM.GasEstimator]
Mode = 'FixedPrice'
PriceDefault = '1 mwei'
[EVM.OCR]
ContractConfirmations = 1
[[EVM.Nodes]]
Name = 'primary'
WSURL = 'ws://127.0.0.1:8545'
HTTPURL = 'http://127.0.0.1:8545'
"""
SECRETS = """
[Database]
URL = 'postgresql://cl1:0123456789abcdef@127.0.0.1:5432/cl_node_1?sslmode=disable'
[Password]
Keystore = 'at-least-16-characters'
[[EVM.Keys]]
ID = 1337
JSON = '{}'
Password = 'x'
"""


def written(directory: Path, name: str, text: str) -> Path:
    """Write a file and return it."""
    path = directory / name
    path.write_text(text)
    return path


def test_a_complete_config(tmp_path: Path) -> None:
    """Every key of a real node's config.toml is understood or let through, with its units."""
    config = read_config(written(tmp_path, "config.toml", CONFIG))
    chain = config.chain(5611)

    assert (6688, "127.0.0.1", 86400.0, 1_000_000) == (
        config.web_server.http_port,
        config.web_server.listen_ip,
        config.web_server.session_timeout_s,
        config.web_server.http_max_size_bytes,
    )
    assert chain is not None
    assert 10**6 == chain.gas_estimator.price_default_wei
    assert (10.0, 256_000) == (
        config.job_pipeline.http_request.default_timeout_s,
        config.job_pipeline.http_request.max_size_bytes,
    )
    assert ("warning", 1.0, 20) == (config.log.python_level, config.p2p.v2.delta_dial_s, config.database.max_open_conns)
    assert 60.0 == config.config_poll_interval_s(chain)
    assert "http://127.0.0.1:8545" == chain.nodes[0].http_url


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("ChainID = '5611'", "", r"EVM\[0\]\.ChainID"),
        ("ChainID = '5611'", "ChainID = 'opBNB'", r"EVM\[0\]\.ChainID"),
        ("HTTPURL = 'http://127.0.0.1:8545'", "", r"EVM\[0\]\.Nodes\[0\]\.HTTPURL"),
        ("HTTPURL = 'http://127.0.0.1:8545'", "HTTPURL = 'ftp://x'", r"EVM\[0\]\.Nodes\[0\]\.HTTPURL"),
        ("HTTPPort = 6688", "HTTPPort = 99999", r"WebServer\.HTTPPort"),
        ("SessionTimeout = '24h'", "SessionTimeout = 'a day'", r"WebServer\.SessionTimeout"),
        ("MaxSize = '256kb'", "MaxSize = 'much'", r"JobPipeline\.HTTPRequest\.MaxSize"),
        ("PriceDefault = '1 mwei'", "PriceDefault = '1 euro'", r"EVM\[0\]\.GasEstimator\.PriceDefault"),
        ("ListenAddresses = ['0.0.0.0:9901']", "", r"P2P\.V2\.ListenAddresses"),
        ("HTTPPort = 6688", "HTTPPort = '6688'", r"WebServer\.HTTPPort"),
        ("SecureCookies = false", "SecureCookies = 'false'", r"WebServer\.SecureCookies"),
        ("ListenAddresses = ['0.0.0.0:9901']", "ListenAddresses = '0.0.0.0:9901'", r"P2P\.V2\.ListenAddresses"),
        ("ListenAddresses = ['0.0.0.0:9901']", "ListenAddresses = [9901]", r"P2P\.V2\.ListenAddresses\[0\]"),
        ("Mode = 'FixedPrice'", "Mode = 'Cheapest'", r"EVM\[0\]\.GasEstimator\.Mode"),
        ("PriceDefault = '1 mwei'", "PriceMax = '1 wei'", r"EVM\[0\]\.GasEstimator: .*PriceMin must not be above"),
        (
            "ContractConfirmations = 1",
            "ContractConfirmations = 0",
            r"ContractConfirmations: .*a whole number from 1 to 100",
        ),
        ("DeltaDial = '1s'", "DeltaDial = nan", r"P2P\.V2\.DeltaDial"),
        ("[Feature]\nFeedsManager = false", "Feature = 5", "Feature: .*a table"),
        ("[OCR]", "[OCR", "TOML"),
    ],
)
def test_bad_configs(tmp_path: Path, old: str, new: str, field: str) -> None:
    """A missing or bad field is refused by its name in the file."""
    assert old in CONFIG
    with pytest.raises(SettingInvalid, match=field):
        read_config(written(tmp_path, "config.toml", CONFIG.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("Keystore = 'at-least-16-characters'", "Keystore = 'short'", r"Password\.Keystore"),
        ("Keystore = 'at-least-16-characters'", "", r"Password\.Keystore"),
        (":0123456789abcdef@", ":short@", r"Database\.URL"),
        ("postgresql://", "mysql://", r"Database\.URL"),
        ("Password = 'x'", "", r"EVM\.Keys\[0\]\.Password"),
        ("[Database]", "[Nothing]", "Database"),
    ],
)
def test_bad_secrets(tmp_path: Path, old: str, new: str, field: str) -> None:
    """A missing or bad secret is refused by its name, and no secret stands in the error."""
    with pytest.raises(SettingInvalid, match=field) as error:
        read_secrets(written(tmp_path, "secrets.toml", SECRETS.replace(old, new)))
    assert not [secret for secret in ("0123456789abcdef", "at-least-16", "short@") if secret in str(error.value)]


def test_a_chain_without_endpoints(tmp_path: Path) -> None:
    """A configuration without a chain, or a chain without an endpoint, is refused, since nothing could be asked."""
    chains = CONFIG[CONFIG.index("[[EVM]]") :]
    without = CONFIG[: CONFIG.index("[[EVM.Nodes]]")].replace("[[EVM]]", "[[EVM]]\nNodes = []")

    for text, field in ((CONFIG.replace(chains, ""), "EVM"), ("EVM = []\n" + CONFIG.replace(chains, ""), "EVM")):
        with pytest.raises(SettingInvalid, match=field):
            read_config(written(tmp_path, "config.toml", text))
    with pytest.raises(SettingInvalid, match=r"EVM\[0\].Nodes: .*a list of at least 1"):
        read_config(written(tmp_path, "config.toml", without))


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    """The text of the secrets shows none of them."""
    secrets = read_secrets(written(tmp_path, "secrets.toml", SECRETS))

    assert "0123456789abcdef" not in repr(secrets)
    assert "at-least" not in repr(secrets)


@pytest.mark.parametrize("text", ["", "a@b.c\n", "nobody\nlong-enough-password", "a@b.c\nshort"])
def test_bad_credentials(tmp_path: Path, text: str) -> None:
    """Credentials need an address and a password that is long enough."""
    with pytest.raises(SettingInvalid, match="apicredentials"):
        ApiCredentials.read(written(tmp_path, "apicredentials", text))


def test_credentials(tmp_path: Path) -> None:
    """The first two lines count, trimmed, and the address in lower case."""
    read = ApiCredentials.read(written(tmp_path, "apicredentials", " A@B.c \n long-enough-password \nrest\n"))

    assert ("a@b.c", "long-enough-password") == (read.email, read.password.text)


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(SettingInvalid, match=r"nothing\.toml"):
        read_config(tmp_path / "nothing.toml")
