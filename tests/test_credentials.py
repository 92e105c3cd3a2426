"""A key goes where it was saved for; what is known to point elsewhere is told before a request finds out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from rooroute.credentials import Credentials
from rooroute.errors import OriginNotApproved, SecretUnavailable
from rooroute.profiles import Profile, SecretCommand
from rooroute.secret import Secret

HERE, THERE = "https://here.test/v1", "https://there.test/v1"
KEPT = Profile(id="kept", provider="openai-compatible", base_url=HERE, model="m", key_saved_at="2026-01-01T00:00:00Z")
REFERRED = replace(KEPT, id="referred", api_key="${K}", key_saved_at=None)


@dataclass
class Keys:
    store_name: str = "keyring"
    items: dict[str, Secret] = field(default_factory=lambda: {"kept": Secret("the-key", "https://here.test:443")})

    async def get(self, profile_id: str, slot: str) -> Secret | None:
        return self.items.get(profile_id)

    def forget(self, profile_id: str) -> None: ...


def credentials(approved: str | None = None, keys: Keys | None = None) -> Credentials:
    return Credentials(keys or Keys(), {"K": "the-key"}, lambda profile_id, slot: approved, str, lambda: 0.0)


async def test_a_kept_key_goes_to_the_address_it_was_saved_for() -> None:
    known = credentials()
    assert set(await known.resolve(KEPT)) == {"apiKey"}
    assert known.astray(KEPT) is None


async def test_a_kept_key_goes_nowhere_else_and_once_read_that_is_known() -> None:
    known = credentials()
    away = replace(KEPT, base_url=THERE)
    assert known.astray(away) is None, "nobody has read the key yet"
    with pytest.raises(OriginNotApproved, match="saved for https://here.test:443") as refused:
        await known.resolve(away)
    told = known.astray(away)
    assert told is not None
    assert (told.message, told.data["field"]) == (refused.value.message, "apiKey")
    assert known.astray(KEPT) is None, "changed back, all is well again"


async def test_a_key_entered_anew_is_read_anew() -> None:
    keys = Keys()
    known = credentials(keys=keys)
    away = replace(KEPT, base_url=THERE)
    with pytest.raises(OriginNotApproved):
        await known.resolve(away)
    keys.items["kept"] = Secret("another-key", "https://there.test:443")
    known.forget("kept")
    assert known.astray(away) is None
    assert await known.resolve(away)


async def test_a_reference_goes_to_an_approved_address_and_no_other() -> None:
    assert await credentials("https://here.test:443").resolve(REFERRED)
    astray = credentials("https://there.test:443").astray(REFERRED)
    assert astray is not None
    assert astray.data == {"profileId": "referred", "origin": "https://here.test:443", "field": "profile.baseUrl"}
    with pytest.raises(OriginNotApproved):
        await credentials().resolve(REFERRED)


TEAM = {"team": Secret("typed", "https://here.test:443")}


@pytest.mark.parametrize("profile", [KEPT, REFERRED], ids=["kept", "referred"])
async def test_a_secret_typed_beside_a_key_that_is_there_goes_along_with_it(profile: Profile) -> None:
    drafted = replace(profile, headers={"x-team": "${secret:team}"})
    found = await credentials("https://here.test:443").complete(drafted, TEAM)
    assert {slot: each.reveal("https://here.test:443") for slot, each in found.items()} == {
        "team": "typed",
        "apiKey": "the-key",
    }


async def test_a_typed_key_takes_the_place_of_the_one_that_is_there() -> None:
    typed = {"apiKey": Secret("typed", "https://here.test:443")}
    found = await credentials("https://here.test:443").complete(REFERRED, typed)
    assert found["apiKey"].reveal("https://here.test:443") == "typed"


async def test_a_key_that_is_there_goes_nowhere_else_with_a_draft_either() -> None:
    away = replace(KEPT, base_url=THERE)
    found = await credentials().complete(away, TEAM)
    assert found["apiKey"].origin == "https://here.test:443"
    with pytest.raises(OriginNotApproved):
        await credentials().complete(replace(REFERRED, base_url=THERE), TEAM)


async def test_a_reference_to_nothing_is_missing() -> None:
    lost = replace(REFERRED, api_key="${NOT_SET}")
    with pytest.raises(SecretUnavailable, match="NOT_SET"):
        await credentials("https://here.test:443").resolve(lost)
    assert credentials().home(lost) == "missing"


NEEDY = replace(KEPT, id="needy", provider="openai", base_url=None)


async def test_what_keeps_a_profile_from_being_asked_is_known_without_reading_a_key() -> None:
    assert credentials("https://here.test:443").unusable(REFERRED) is None
    assert "approve that" in str(credentials().unusable(REFERRED))
    unset = replace(REFERRED, api_key="${NOT_SET}")
    assert "NOT_SET, which is not set" in str(credentials("https://here.test:443").unusable(unset))
    assert credentials().unusable(NEEDY) is None, "nobody has looked for its key yet"


async def test_a_key_that_was_not_there_is_looked_for_again_after_a_while() -> None:
    now, keys = 0.0, Keys(items={})
    known = Credentials(keys, {}, lambda profile_id, slot: None, str, lambda: now)
    with pytest.raises(SecretUnavailable):
        await known.resolve(NEEDY)
    before = known.judgements
    assert before, "whoever keeps candidates makes them anew"
    assert "has no key" in str(known.unusable(NEEDY))
    known.look_again()
    assert known.judgements == before, "nothing new"
    now = 31.0
    known.look_again()
    assert known.unusable(NEEDY) is None
    assert known.judgements > before
    keys.items["needy"] = Secret("the-key", "https://api.openai.com:443")
    assert await known.resolve(NEEDY)


async def test_a_key_saved_by_another_window_is_looked_for_at_once() -> None:
    known = credentials(keys=Keys(items={}))
    with pytest.raises(SecretUnavailable):
        await known.resolve(NEEDY)
    assert known.unusable(replace(NEEDY, key_saved_at="2026-01-02T00:00:00Z")) is None


async def test_an_approval_that_comes_later_is_noticed() -> None:
    approved: list[str] = []
    known = Credentials(
        Keys(), {"K": "the-key"}, lambda profile_id, slot: approved[0] if approved else None, str, lambda: 0.0
    )
    assert known.unusable(REFERRED)
    approved.append("https://here.test:443")
    before = known.judgements
    known.look_again()
    assert known.judgements == before + 1
    assert known.unusable(REFERRED) is None


async def test_a_reset_lets_a_profile_be_asked_again() -> None:
    known = credentials(keys=Keys(items={}))
    with pytest.raises(SecretUnavailable):
        await known.resolve(NEEDY)
    before = known.judgements
    known.forget("needy")
    assert known.unusable(NEEDY) is None
    assert known.judgements > before


@dataclass
class Vault:
    """Prints a secret, and remembers for whom."""

    asked: list[tuple[str, str]] = field(default_factory=list)

    async def printed(self, profile: Profile, slot: str, origin: str) -> Secret:
        self.asked.append((slot, origin))
        return Secret("printed", origin)

    async def token(self, profile: Profile, origin: str, client_secret: Secret | None) -> Secret:
        raise AssertionError

    def drop(self, profile_id: str, used_at: float | None = None) -> None: ...

    async def close(self) -> None: ...


PRINTED = replace(REFERRED, id="printed", api_key=None, secret_commands={"apiKey": SecretCommand(command=("vault",))})


def with_vault(approved: str | None) -> tuple[Credentials, Vault]:
    vault = Vault()
    return Credentials(Keys(), {}, lambda profile_id, slot: approved, str, lambda: 0.0, tokens=vault), vault


async def test_a_command_is_run_for_an_approved_address_and_for_no_other() -> None:
    known, vault = with_vault("https://here.test:443")
    assert (await known.resolve(PRINTED))["apiKey"].reveal("https://here.test:443") == "printed"
    assert vault.asked == [("apiKey", "https://here.test:443")]
    away = replace(PRINTED, base_url=THERE)
    assert "what its command prints to https://there.test:443" in str(known.unusable(away))
    for asking in (known.resolve(away), known.complete(away, {})):
        with pytest.raises(OriginNotApproved):
            await asking
    assert len(vault.asked) == 1


async def test_a_typed_secret_takes_the_place_of_what_a_command_prints() -> None:
    known, vault = with_vault("https://here.test:443")
    found = await known.complete(PRINTED, {"apiKey": Secret("typed", "https://here.test:443")})
    assert found["apiKey"].reveal("https://here.test:443") == "typed"
    assert not vault.asked


async def test_what_a_command_prints_may_change_and_the_quota_stays() -> None:
    known, _ = with_vault("https://here.test:443")
    before = known.domain(PRINTED), known.fingerprint(PRINTED)
    await known.resolve(PRINTED)
    assert (known.domain(PRINTED), known.fingerprint(PRINTED)) == before
    another = replace(PRINTED, secret_commands={"apiKey": SecretCommand(command=("vault", "other"))})
    assert known.domain(another) != before[0] and known.fingerprint(another) != before[1]
    assert known.renew(PRINTED, 0.0) and not known.renew(KEPT, 0.0)
