"""A request as a curl command is the same request when a real shell reads it, and the key is nowhere in it."""

from __future__ import annotations

import itertools
import json
import subprocess
from typing import Any

import pytest

from rooroute.providers.curl import curl_command
from rooroute.providers.dialect import HttpRequest, Tls
from rooroute.secret import Secret

KEY = "canary-4b1d7e20"
SECRET = Secret(KEY, "https://models.example:443")
NASTY = 'it\'s "quoted" $HOME `id` \\ end'


def arguments(command: str, **environment: str) -> list[str]:
    """What curl would be given: a shell reads the command, with a program that prints its arguments in curl's place."""
    program = 'curl() { for each in "$@"; do printf "%s\\0" "$each"; done; }\n'
    done = subprocess.run(
        ["/bin/sh", "-c", program + command], capture_output=True, text=True, env=environment, check=True
    )
    return done.stdout.split("\0")[:-1]


def test_a_shell_reads_back_the_same_request() -> None:
    body = json.dumps({"prompt": NASTY}).encode()
    request = HttpRequest(
        "POST",
        "https://models.example/v1/chat?tenant=a&b=c",
        {"content-type": "application/json", "x-note": NASTY},
        {"authorization": ("Bearer ", SECRET)},
        body=body,
    )
    given = arguments(curl_command(request, "http://proxy.example:3128"), API_KEY="the-key")
    assert given[:7] == ["-sS", "-N", "-X", "POST", "--proxy", "http://proxy.example:3128", request.url]
    headers = [value for option, value in itertools.pairwise(given) if option == "-H"]
    assert headers == ["content-type: application/json", f"x-note: {NASTY}", "authorization: Bearer the-key"]
    assert given[-2:] == ["--data-raw", body.decode()]


@pytest.mark.parametrize("url", ["https://models.example/v1/models", "https://models.example/v1/models?a=b"])
def test_a_key_in_the_query_is_a_variable_too(url: str) -> None:
    request = HttpRequest("GET", url, secret_query={"key": ("", SECRET)})
    joint = "&" if "?" in url else "?"
    assert arguments(curl_command(request), API_KEY="the-key")[-1] == f"{url}{joint}key=the-key"


def test_several_secrets_have_several_names() -> None:
    secrets: dict[str, Any] = {"x-client": ("", SECRET), "x-secret": ("v1 ", SECRET)}
    command = curl_command(HttpRequest("GET", "https://models.example/", secret_headers=secrets))
    assert arguments(command, API_KEY="one", API_KEY_2="two")[-3::2] == ["x-client: one", "x-secret: v1 two"]


def test_no_secret_is_in_the_command() -> None:
    request = HttpRequest(
        "GET", "https://models.example/", {}, {"authorization": ("Bearer ", SECRET)}, {"key": ("", SECRET)}
    )
    assert KEY not in curl_command(request)


def test_a_profile_s_own_certificates_go_along() -> None:
    tls = Tls("/my cert.pem", "/key.pem", "/ca.pem")
    command = curl_command(HttpRequest("GET", "https://models.example.net/v1/models", tls=tls))
    assert "--cert '/my cert.pem' --key /key.pem --cacert /ca.pem" in command
    assert "--cert" not in curl_command(HttpRequest("GET", "https://models.example.net/v1/models"))
