"""Every class of failure has a cause and a remedy of its own."""

from __future__ import annotations

import pytest

from rooroute.diagnosis import Asked, Subject, of_failure, of_silence, other_addresses
from rooroute.outcome import Failure, Fault
from rooroute.profiles import Profile
from rooroute.providers.table import PROVIDERS, target_for
from rooroute.secret import Secret, origin_of


def asked(provider: str = "openai", base_url: str | None = None, proxy: str | None = None) -> Asked:
    row = PROVIDERS[provider]
    profile = Profile(id="mine", provider=provider, model="m", base_url=base_url)
    own = base_url or row.default_base_url or ""
    key = Secret("sk-a1b2c3d4e5f6g7h8", origin_of(own))
    return Asked(row, target_for(profile, "m", {"apiKey": key}), proxy)


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_has_a_subject_and_a_remedy(fault: Fault) -> None:
    found = of_failure(asked(), Failure(fault, "Something is wrong"))
    assert not found.ok
    assert found.cause.endswith("Something is wrong.")
    assert found.remedy.endswith(".") or "https://" in found.remedy


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("certificate is not yet valid", "clock is behind"),
        ("certificate has expired", "clock is ahead"),
        ("Hostname mismatch, certificate is not valid for 'x'", "sign in to this network"),
        ("self-signed certificate in certificate chain", "trust store"),
        ("unable to get local issuer certificate", "trust store"),
    ],
)
def test_a_certificates_fault_names_its_likely_cause(words: str, remedy: str) -> None:
    message = f"The TLS certificate of models.example:443 is not trusted ({words}); nothing was sent."
    assert remedy in of_silence(asked(), Failure(Fault.NETWORK, message)).remedy


def test_silence_behind_a_proxy_is_the_proxys() -> None:
    found = of_silence(asked(proxy="http://proxy.example:3128"), Failure(Fault.NETWORK, "No connection."))
    assert found.subject is Subject.PROXY and "proxy.example:3128" in found.cause


@pytest.mark.parametrize(
    ("provider", "base_url", "meant"),
    [
        ("openai-compatible", "http://localhost:8000", "http://localhost:8000/v1"),
        ("openai-compatible", "http://localhost:8000/v1/chat/completions", "http://localhost:8000/v1"),
        ("openai-compatible", "http://localhost:8000/api", "http://localhost:8000/api/v1"),
        ("openai", "https://api.openai.com", "https://api.openai.com/v1"),
        ("gemini", "https://generativelanguage.googleapis.com/v1", "https://generativelanguage.googleapis.com/v1beta"),
        ("openrouter", "https://openrouter.ai/v1", "https://openrouter.ai/api/v1"),
        ("anthropic", "https://api.anthropic.com/v1/messages", "https://api.anthropic.com/v1"),
    ],
)
def test_the_address_that_may_be_meant_is_among_those_tried(provider: str, base_url: str, meant: str) -> None:
    found = other_addresses(asked(provider, base_url))
    assert meant in found
    assert base_url not in found
    assert {origin_of(url) for url in found} == {origin_of(base_url)}
    assert len(found) <= 5
