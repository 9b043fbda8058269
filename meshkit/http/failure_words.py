"""What went wrong with a request, in words for people: the host is named, the rest of a URL may hold an access key."""

import os
from urllib.parse import urlsplit

import aiohttp


def in_words(error: BaseException, url: str = "") -> str:
    """Return why a request had no answer; `url` says whom it was for, where the error itself does not."""
    whom = host_of(url)
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"the certificate of {error.host}:{error.port} is not trusted: {error.certificate_error}"
        case aiohttp.ClientConnectorError():
            return f"no connection to {error.host}:{error.port}: {_reason(error.os_error)}"
        case aiohttp.ServerDisconnectedError():
            return f"{whom or 'the server'} closed the connection"
        case aiohttp.ClientResponseError():
            return f"HTTP {error.status}" + (f" from {whom}" if whom else "")
        case TimeoutError():
            return f"no answer{f' from {whom}' if whom else ''} in time"
        case aiohttp.ClientError():
            return type(error).__name__ + (f" at {whom}" if whom else "")
    return f"{type(error).__name__}: {error}"


def host_of(url: str) -> str:
    """Return a URL's host with its port, if it names one; nothing else of it. Empty for what is no URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    return f"{host}:{port}" if port else host


def _reason(error: OSError) -> str:
    # The loop's own text repeats the address; those of the resolver have negative numbers, and texts of their own.
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error) or type(error).__name__
