"""Files that a profile names: a profile that cannot work is refused when it is saved, and shown as such when it stands in the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rooroute.adapters.config_file import ConfigFile
from rooroute.adapters.credential_files import CredentialFiles
from rooroute.profiles import Auth, AuthKind, Profile


def vertex(path: str) -> Profile:
    return Profile(id="v", provider="vertex", options={"project": "my-project", "credentialsFile": path})


def mtls(certificate: str, key: str | None = None) -> Profile:
    auth = Auth(kind=AuthKind.MTLS, certificate=certificate, certificate_key=key)
    return Profile(id="m", provider="openai-compatible", base_url="https://models.example.net", auth=auth)


@pytest.fixture
def put(tmp_path: Path) -> Any:
    def write(name: str, mode: int = 0o600, content: str = '{"type": "service_account"}') -> str:
        path = tmp_path / name
        path.write_text(content)
        path.chmod(mode)
        return str(path)

    return write


def told(profile: Profile) -> list[tuple[str | None, str, str | None]]:
    return [(each.field, each.message, each.remedy) for each in CredentialFiles().check(profile)]


def test_files_that_are_there_and_private_are_fine(put: Any) -> None:
    assert told(vertex(put("a.json"))) == []
    assert told(mtls(put("cert.pem", 0o644), put("key.pem"))) == []
    assert told(Profile(id="p", provider="openai", options={"caFile": put("ca.pem", 0o644)})) == []
    assert told(Profile(id="p", provider="openai", options={"credentialsFile": "of another vendor"})) == []


@pytest.mark.parametrize("mode", [0o640, 0o604], ids=oct)
def test_a_key_that_others_can_read_is_refused_with_the_remedy(put: Any, mode: int) -> None:
    credentials, key = put("a.json", mode), put("key.pem", mode)
    wrong = (f"The file {credentials} can be read by others.", f"Run: chmod 600 {credentials}")
    assert told(vertex(credentials)) == [("options.credentialsFile", *wrong)]
    assert [field for field, *_ in told(mtls(put("cert.pem", 0o644), key))] == ["auth.certificateKey"]
    assert [field for field, *_ in told(mtls(key))] == ["auth.certificate"], "where the key is in the same file"


@pytest.mark.parametrize(
    ("path", "message", "remedy"),
    [
        ("/nowhere.json", "The file /nowhere.json is not there.", "Correct options.credentialsFile."),
        ("nowhere.json", "This is not a whole path.", "Write it from the root, or from ~."),
    ],
)
def test_a_file_that_cannot_be_read_is_named(path: str, message: str, remedy: str) -> None:
    assert told(vertex(path)) == [("options.credentialsFile", message, remedy)]


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    field, message, _ = told(vertex(str(tmp_path)))[0]
    assert (field, message) == ("options.credentialsFile", f"The file {tmp_path} cannot be read: Is a directory.")


def test_what_is_no_json_is_named(put: Any) -> None:
    path = put("a.json", content="nonsense")
    assert told(vertex(path)) == [
        ("options.credentialsFile", f"{path} holds no credentials in JSON.", "Download them anew.")
    ]


def test_a_profile_of_the_configuration_comes_and_goes_with_its_file(tmp_path: Path, put: Any) -> None:
    path = tmp_path / "later.json"
    document = {"version": 1, "profiles": [{"id": "v", "provider": "vertex", "options": {"project": "my-project"}}]}
    document["profiles"][0]["options"]["credentialsFile"] = str(path)  # type: ignore[index]
    (tmp_path / "config.yaml").write_text(json.dumps(document))
    files = CredentialFiles()
    config = ConfigFile(tmp_path / "config.yaml", files.check, moved=files.changed)
    config.load()
    assert config.current.unreadable["v"].message == f"The file {path} is not there."
    assert not config.poll()
    put("later.json", 0o644)
    assert config.poll()
    assert config.current.unreadable["v"].remedy == f"Run: chmod 600 {path}"
    path.chmod(0o600)
    assert config.poll()
    assert list(config.current.profiles) == ["v"]
    assert not config.poll()
    path.unlink()
    assert config.poll()
    assert list(config.current.unreadable) == ["v"]
