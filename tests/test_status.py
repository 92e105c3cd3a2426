"""What has changed since the last look is told, all of it and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from rooroute.profiles import Configuration, Defaults, Profile
from rooroute.status import difference, old_keys

BEFORE: dict[str, Any] = {
    "now": "2026-01-01T00:00:00Z",
    "configRevision": "1",
    "stateRevision": 1,
    "secretStore": "keyring",
    "profiles": [{"id": "A", "state": "active"}, {"id": "B", "state": "active"}],
    "pools": [{"id": "default", "state": "active"}],
    "problems": [],
}
NOTHING = {"profiles": [], "pools": [], "removed": {"profiles": [], "pools": []}}


def test_the_clock_and_the_count_of_writes_alone_are_no_news() -> None:
    assert difference(BEFORE, {**BEFORE, "now": "2026-01-01T00:00:01Z", "stateRevision": 2}) is None


@pytest.mark.parametrize(
    ("news", "told"),
    [
        pytest.param(
            {"profiles": [{"id": "A", "state": "cooldown"}, {"id": "C", "state": "active"}]},
            {
                "profiles": [{"id": "A", "state": "cooldown"}, {"id": "C", "state": "active"}],
                "removed": {"profiles": ["B"], "pools": []},
            },
            id="a-profile-changed-one-came-and-one-went",
        ),
        pytest.param(
            {"profiles": BEFORE["profiles"][::-1], "configRevision": "2"}, {"configRevision": "2"}, id="another-order"
        ),
        pytest.param(
            {"secretStore": "session", "problems": [{"message": "There is no keyring."}]},
            {"secretStore": "session", "problems": [{"message": "There is no keyring."}]},
            id="there-turned-out-to-be-no-keyring",
        ),
        pytest.param({"limits": [{"id": "work"}]}, {"limits": [{"id": "work"}]}, id="a-limit-is-used-further"),
    ],
)
def test_what_a_user_sees_changed_is_told(news: dict[str, Any], told: dict[str, Any]) -> None:
    revisions = {name: BEFORE[name] for name in ("now", "configRevision", "stateRevision")}
    assert difference(BEFORE, {**BEFORE, **news}) == {**revisions, **NOTHING, **told}


def test_a_problem_that_is_gone_is_told_as_gone() -> None:
    worried = {**BEFORE, "problems": [{"message": "broken"}], "limits": [{"id": "work"}]}
    found = difference(worried, BEFORE)
    assert found is not None
    assert (found["problems"], found["limits"]) == ([], [])


@pytest.mark.parametrize(
    ("saved_at", "days"),
    [
        ("2026-01-01T00:00:00Z", 91),
        ("2026-01-02T00:00:00", 90),
        ("2026-01-02T00:00:01Z", None),
        ("some day", None),
        (None, None),
    ],
)
def test_a_key_that_is_older_than_the_user_wants_is_told(saved_at: str | None, days: int | None) -> None:
    profile = Profile(id="A", provider="openai", key_saved_at=saved_at)
    now = datetime(2026, 4, 2, tzinfo=UTC).timestamp()
    configuration = Configuration(profiles={"A": profile}, defaults=Defaults(key_days=90))
    problems = old_keys(configuration, now)
    assert [each.profile_id for each in problems] == ([] if days is None else ["A"])
    assert all(f"{days} days ago" in each.message for each in problems)
    assert old_keys(replace(configuration, defaults=Defaults()), now) == []
    assert old_keys(replace(configuration, profiles={"A": replace(profile, enabled=False)}), now) == []
