"""
The address of a group at a Pushgateway: `/metrics/job/<job>/<label>/<value>…`.

A value that has a slash, or none at all, goes as `<label>@base64/<value>`, in the alphabet of addresses, `=` for an
empty one; source: Pushgateway's README, "URL". All else that is not plain goes that way too, as a proxy on the way may
read `+` and `%` in its own manner.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

ROOT: Final = "/metrics"
_ENCODED: Final = "@base64"
_GROUP: Final = re.compile(r"(.*?/metrics)((?:/[a-zA-Z_][a-zA-Z0-9_]*(?:@base64)?/[^/]*)+)/?")
_PLAIN: Final = re.compile("[A-Za-z0-9_~-][A-Za-z0-9_.~-]*")


@dataclass(frozen=True, slots=True)
class Group:
    """Hold the address of a group and the labels that are in it."""

    url: str
    labels: Mapping[str, str]


def names_a_group(url: str) -> bool:
    """Tell whether an address is that of a group already."""
    return "job" in _of(urlsplit(url).path)[1]


def group(url: str, labels: Mapping[str, str]) -> Group:
    """
    Return the group of these labels, `job` among them.

    `url` is that of a Pushgateway, perhaps with `/metrics`, or of a group: then its own labels stand, and those that it
    lacks follow.
    """
    parts = urlsplit(url)
    root, own = _of(parts.path)
    held = own or {"job": labels["job"]}
    held |= {name: value for name, value in labels.items() if name not in held}
    path = root + "".join(f"/{_segment(name, value)}" for name, value in held.items())
    return Group(urlunsplit((parts.scheme, parts.netloc, path, parts.query, "")), held)


def api(url: str, path: str) -> str:
    """Return the address of another interface of the same Pushgateway: `/api/v1/metrics` for example."""
    parts = urlsplit(url)
    root = _of(parts.path)[0].removesuffix(ROOT)
    return urlunsplit((parts.scheme, parts.netloc, root + path, "", ""))


def _of(path: str) -> tuple[str, dict[str, str]]:
    """Return the path of all groups, and the labels of the one that is named."""
    found = _GROUP.fullmatch(path)
    if found is None:
        root = path.rstrip("/")
        return root if root.endswith(ROOT) else root + ROOT, {}
    words = found[2].split("/")[1:]
    return found[1], dict(_decoded(name, value) for name, value in zip(words[::2], words[1::2], strict=True))


def _decoded(name: str, value: str) -> tuple[str, str]:
    if not name.endswith(_ENCODED):
        return name, unquote(value)
    plain = value.rstrip("=")
    return name.removesuffix(_ENCODED), urlsafe_b64decode(plain + "=" * (-len(plain) % 4)).decode(errors="replace")


def _segment(name: str, value: str) -> str:
    if _PLAIN.fullmatch(value):
        return f"{name}/{value}"
    encoded = urlsafe_b64encode(value.encode()).decode().rstrip("=")
    return f"{name}{_ENCODED}/{encoded or '='}"
