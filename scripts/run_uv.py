"""
Run the environment's uv with the settings that pip has on this machine: python scripts/run_uv.py ARGUMENTS OF UV.

uv reads neither pip's files nor its variables, and the repository names no index. So what pip is told of index,
certificates and proxy is handed on. A variable of uv's own that is set already is left as it is.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

UV = Path(__file__).resolve().parent.parent / ".venv/bin/uv"
# By pip's name: the variable that uv or its TLS library reads, and what stands between several values.
_VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "keyring-provider": ("UV_KEYRING_PROVIDER", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "client-cert": ("SSL_CLIENT_CERT", " "),
    "proxy": ("ALL_PROXY", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
}
# What pip takes from, the later over the earlier.
_SECTIONS = ("global.", "install.", ":env:.")
_FALSE = frozenset({"0", "false", "no", "off", ""})


def pip_settings(listing: str) -> dict[str, str]:
    """Return what holds for `pip install`, by name, from the text of `pip config list`."""
    lines = [line.partition("=") for line in listing.splitlines()]
    return {
        name.removeprefix(section): str(ast.literal_eval(value))
        for section in _SECTIONS
        for name, _, value in lines
        if name.startswith(section)
    }


def environment(settings: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for uv: what is given, and under it pip's settings in uv's words."""
    told = {
        variable: separator.join(settings[name].split())
        for name, (variable, separator) in _VARIABLES.items()
        if settings.get(name)
    }
    always = {
        # As pip does: the system's certificates hold, and of all places' candidates the best is taken (hashes decide).
        "UV_SYSTEM_CERTS": "1",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    return {**always, **told, **given}


def arguments(settings: Mapping[str, str], wanted: list[str]) -> list[str]:
    """Return uv's arguments: the wanted ones, and what has no variable."""
    no_index = settings.get("no-index", "").lower() not in _FALSE
    return [*wanted, *(["--no-index"] if no_index and wanted[:1] == ["pip"] else [])]


def _listing() -> str:
    """Ask the first Python that has pip; one without any has no settings of pip either."""
    for python in (sys.executable, UV.with_name("python")):
        ran = subprocess.run([python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
        if ran.returncode == 0:
            return ran.stdout
    return ""


if __name__ == "__main__":
    found = pip_settings(_listing())
    os.execve(UV, [os.fspath(UV), *arguments(found, sys.argv[1:])], environment(found, os.environ))
