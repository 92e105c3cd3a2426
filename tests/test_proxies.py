"""Which way a request goes."""

from __future__ import annotations

import pytest

from rooroute.proxies import Proxy, parse_proxy, proxy_for

PROXY = Proxy("proxy.test", 3128)
BOTH = {"https_proxy": "http://proxy.test:3128", "http_proxy": "http://other.test:1"}


@pytest.mark.parametrize(
    ("url", "chosen", "environment", "way"),
    [
        pytest.param("https://api.test/v1", None, {}, None, id="nothing-set"),
        pytest.param("https://api.test/v1", None, BOTH, PROXY, id="by-scheme"),
        pytest.param("http://api.test/v1", None, BOTH, Proxy("other.test", 1), id="by-the-other-scheme"),
        pytest.param("https://api.test/v1", None, {"all_proxy": "proxy.test:3128"}, PROXY, id="all-proxy"),
        pytest.param("https://api.test/v1", "http://mine.test:2", BOTH, Proxy("mine.test", 2), id="the-profiles-own-first"),
        pytest.param("http://localhost:8080/v1", None, BOTH, None, id="this-machine-by-name"),
        pytest.param("http://127.0.0.9/v1", None, BOTH, None, id="this-machine-by-number"),
        pytest.param("http://[::1]:1/v1", None, BOTH, None, id="this-machine-by-ipv6"),
        pytest.param("http://localhost:8080/", "http://mine.test:2", {}, Proxy("mine.test", 2), id="unless-the-profile-says-so"),
        pytest.param("https://api.test/", None, {**BOTH, "no_proxy": "x, api.test"}, None, id="no-proxy-name"),
        pytest.param("https://eu.api.test/", None, {**BOTH, "no_proxy": ".api.test"}, None, id="no-proxy-below-a-dot"),
        pytest.param("https://eu.api.test/", None, {**BOTH, "no_proxy": "api.test"}, None, id="no-proxy-below"),
        pytest.param("https://myapi.test/", None, {**BOTH, "no_proxy": "api.test"}, PROXY, id="no-proxy-is-no-suffix"),
        pytest.param("https://api.test:8443/", None, {**BOTH, "no_proxy": "api.test:8443"}, None, id="no-proxy-port"),
        pytest.param("https://api.test/", None, {**BOTH, "no_proxy": "api.test:8443"}, PROXY, id="no-proxy-other-port"),
        pytest.param("https://api.test/", None, {**BOTH, "no_proxy": "*"}, None, id="no-proxy-everybody"),
        pytest.param("https://api.test/", None, {**BOTH, "no_proxy": ""}, PROXY, id="no-proxy-empty"),
    ],
)  # fmt: skip
def test_the_way_of_a_request(url: str, chosen: str | None, environment: dict[str, str], way: Proxy | None) -> None:
    assert proxy_for(url, chosen, environment) == way


def test_a_proxys_credentials_are_read_and_not_shown() -> None:
    proxy = parse_proxy("https://me:p%40ss@proxy.test")
    assert proxy == Proxy("proxy.test", 443, True, ("me", "p@ss"))
    assert "p@ss" not in repr(proxy)


@pytest.mark.parametrize("text", ["socks5://proxy.test", "ftp://x", "http://", "http://:80"])
def test_what_is_no_http_proxy_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="it "):
        parse_proxy(text)
