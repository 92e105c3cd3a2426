"""The same request as a curl command, to ask a provider without this program in between. The key is a shell variable."""

from __future__ import annotations

import re
from shlex import quote
from typing import Final

from rooroute.providers.dialect import HttpRequest

_QUIET_AND_UNBUFFERED: Final = "curl -sS -N"
_USUAL: Final = "API_KEY"


def curl_command(request: HttpRequest, proxy: str | None = None) -> str:
    """``request`` for a POSIX shell, with ``$API_KEY`` where the key goes (``$API_KEY_2`` and so on for further secrets). ``proxy`` is
    one without credentials. No secret is read."""
    placed = [*request.secret_headers.items(), *request.secret_query.items()]
    variables = {name: _USUAL if n == 1 else f"{_USUAL}_{n}" for n, (name, _) in enumerate(placed, start=1)}
    url = quote(request.url)
    for name in request.secret_query:
        joint = "&" if "?" in url else "?"
        url += f'"{joint}{_inside(name)}={_variable(request.secret_query[name][0], variables[name])}"'
    parts = [_QUIET_AND_UNBUFFERED, f"-X {quote(request.method)}", *([f"--proxy {quote(proxy)}"] if proxy else []), url]
    parts += [f"{option} {quote(path)}" for option, path in _files(request) if path]
    parts += [f"-H {quote(f'{name}: {value}')}" for name, value in request.headers.items()]
    for name, (prefix, _) in request.secret_headers.items():
        parts.append(f'-H "{_inside(name)}: {_variable(prefix, variables[name])}"')
    if request.body:
        parts.append(f"--data-raw {quote(request.body.decode('utf-8', 'replace'))}")
    return " ".join(parts)


def _files(request: HttpRequest) -> tuple[tuple[str, str | None], ...]:
    tls = request.tls
    return (("--cert", tls.certificate), ("--key", tls.certificate_key), ("--cacert", tls.ca_file)) if tls else ()


def _variable(prefix: str, name: str) -> str:
    return f"{_inside(prefix)}${name}"


def _inside(text: str) -> str:
    """``text`` between double quotes of a shell."""
    return re.sub(r'([\\"$`])', r"\\\1", text)
