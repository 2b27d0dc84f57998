"""Proxies: which one stands between here and an address, as the environment says."""

import os
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

import attrs

from headrace.errors import InvalidOption

OUTSIDE = "host.docker.internal"
"""How a container calls the machine that it is on."""


@attrs.frozen(kw_only=True)
class Proxy:
    """A proxy, and what it wants to know of us (`user:password`; empty: nothing)."""

    address: str
    credentials: str = attrs.field(default="", repr=False)


def proxy_for(url: str) -> Proxy | None:
    """HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, unless NO_PROXY names the host; to this machine none leads. Raises InvalidOption."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies_environment, proxy_bypass  # who has no proxy does without

    parts, found = urlsplit(url), getproxies_environment()
    kind = parts.scheme if parts.scheme in found else "all"
    if kind not in found or _is_here(parts.hostname or "") or proxy_bypass(parts.netloc):
        return None
    return _read(found[kind], variable=f"{kind}_proxy")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", OUTSIDE)


def _read(address: str, *, variable: str) -> Proxy:
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("http", "https"):
        why = "it must be an address of http or https, such as http://proxy.example.org:3128"
        raise InvalidOption(where="the environment", option=variable, value="***", why=why)  # there may be a password in it
    name = f"[{host}]" if ":" in host else host
    credentials = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}" if parts.username or parts.password else ""
    return Proxy(address=f"{parts.scheme}://{name}{f':{port}' if port else ''}", credentials=credentials)
