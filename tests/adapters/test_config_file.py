"""The file a person writes: read with care, changed line by line, never lost."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rooroute.adapters import config_patch, config_text, machine
from rooroute.adapters.config_draft import Draft
from rooroute.adapters.config_file import ConfigFile
from rooroute.errors import Conflict, InvalidInput, NotFound, RoorouteError
from rooroute.profiles import Configuration, Defaults, Pool, Problem, Profile, Strategy, Timeouts

GEMINI = Profile(id="Gemini1", provider="gemini", cooldown=30.0, timeouts=Timeouts(first_token=12.5))

SAMPLE = """\
# My own words at the top.

version: 1
theme: dark   # no field of rooroute's

profiles:
  # --- the cheap ones ---

  # my private key
  # (from the blue notebook)
  - id: Gemini1
    provider: gemini   # the good one
    cooldown: 30
    # tokens are dear here
    timeouts:
      firstToken: 20   # patience
      total: 300

  # work
  - provider: gemini
    id: Gemini2
    enabled: true
    notes: |
      # not a comment

      but text

  # --- the others ---

  # broken on purpose
  - id: odd
    provider: gemini
    colour: blue

  # last hope
  - id: default
    provider: anthropic
    headers: {X-Team: a}   # flow
  # after everything

pools:
  - id: default
    # order matters
    profiles:
      - Gemini1
      # the second
      - Gemini2   # eol
      - default
    strategy: priority

# what holds everywhere
defaults:
  cooldown: 60
# the end
"""


@pytest.fixture
def file(tmp_path: Path) -> ConfigFile:
    return ConfigFile(tmp_path / "rooroute" / "config.yaml")


@pytest.fixture
def sample(file: ConfigFile) -> ConfigFile:
    file.path.parent.mkdir()
    file.path.write_text(SAMPLE)
    file.load()
    return file


def text_after(file: ConfigFile, edit: Callable[[Draft], None]) -> str:
    file.save(edit)
    return file.path.read_text()


# --- reading ---


def test_no_file_is_an_empty_configuration_without_complaint(file: ConfigFile) -> None:
    assert file.load().profiles == {}
    assert file.current.problems == ()
    assert not file.path.parent.exists()


def test_the_sample_says_what_it_says(sample: ConfigFile) -> None:
    current = sample.current
    assert list(current.profiles) == ["Gemini1", "Gemini2", "default"]
    assert current.profiles["Gemini1"].timeouts == Timeouts(first_token=20, total=300)
    assert current.profiles["Gemini2"].notes == "# not a comment\n\nbut text\n"
    assert current.pools["default"] == Pool(id="default", profiles=("Gemini1", "Gemini2", "default"))
    assert current.defaults == Defaults(cooldown=60)
    odd = SAMPLE.splitlines().index("    colour: blue") + 1
    assert current.unreadable["odd"].line == odd
    assert [(p.field, p.line) for p in current.problems] == [("theme", 4), ("colour", odd)]


def test_dates_and_words_stay_text(file: ConfigFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text("profiles:\n- id: a\n  provider: azure\n  options: {apiVersion: 2024-10-21, on: off}\n")
    assert file.load().profiles["a"].options == {"apiVersion": "2024-10-21", "on": "off"}


@pytest.mark.parametrize(
    ("entry", "field", "words"),
    [
        pytest.param("{id: x}", "provider", "provider is missing", id="no-provider"),
        pytest.param("{provider: gemini}", "id", "id is missing", id="no-id"),
        pytest.param("just text", None, "mapping", id="no-mapping"),
        pytest.param("{id: x, provider: gemini, colour: 1}", "colour", "not a field", id="unknown-field"),
        pytest.param("{id: x, provider: gemini, model: 4.1}", "model", "must be text", id="number-for-text"),
        pytest.param("{id: x, provider: gemini, cooldown: .nan}", "cooldown", "finite", id="not-a-number"),
        pytest.param("{id: x, provider: gemini, cooldown: -5}", "cooldown", "cooldown", id="negative-cooldown"),
        pytest.param("{id: x, provider: gemini, apiKey: sk-canary}", "apiKey", "key", id="a-key-in-the-file"),
        pytest.param("{id: x, provider: gemini, timeouts: {idle: soon}}", "timeouts.idle", "idle", id="nested-field"),
        pytest.param("{id: ../x, provider: gemini}", "id", "id", id="path-as-id"),
        pytest.param("{id: x, provider: gemini, baseUrl: 'https://a@b'}", "baseUrl", "credentials", id="url-with-user"),
        pytest.param("{id: x, provider: nobody}", "provider", "nobody knows it", id="what-the-vendor-check-says"),
    ],
)
def test_an_entry_that_does_not_parse_is_kept_and_shown(
    tmp_path: Path, entry: str, field: str | None, words: str
) -> None:
    def check(profile: Profile) -> list[Problem]:
        return [Problem("nobody knows it", "provider")] if profile.provider == "nobody" else []

    file = ConfigFile(tmp_path / "config.yaml", check)
    text = f"profiles:\n  - id: good\n    provider: gemini\n  - {entry}\n"
    file.path.write_text(text)
    current = file.load()
    assert list(current.profiles) == ["good"]
    ((label, problem),) = current.unreadable.items()
    assert problem.field == field
    assert words in problem.message
    assert problem.line == 4
    assert problem.profile_id == label
    assert "canary" not in repr(current)
    changed = text_after(file, lambda draft: draft.put_profile(GEMINI))
    assert changed.startswith("version: 1\n" if "version" in changed.split("\n", 1)[0] else text[:-1])
    assert f"  - {entry}\n" in changed


def test_an_id_twice_is_a_problem_whatever_its_case(file: ConfigFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text(
        "profiles:\n- {id: a, provider: gemini}\n- {id: A, provider: gemini}\n- {id: a, provider: x}\n"
    )
    current = file.load()
    assert list(current.profiles) == ["a"]
    assert {name: p.line for name, p in current.unreadable.items()} == {"A (2)": 3, "a (3)": 4}
    assert not file.save(lambda draft: draft.remove_profile("a (3)")).unreadable.keys() & {"a (3)"}


def test_a_pool_that_names_nobody_knows_is_a_problem_with_its_line(file: ConfigFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text("profiles: []\npools:\n- id: p\n  profiles:\n  - ghost\n- id: q\n  maxAttempts: 0\n")
    found = [(p.message, p.line) for p in file.load().problems]
    assert found == [
        ("Pool p names a profile that does not exist: ghost.", 5),
        ("Pool q: it holds no profile.", 6),
        ("Pool q: maxAttempts is at least 1.", 7),
    ]


POINTLESS = """\
profiles:
- id: a
  provider: gemini
  region: us
  supportsImages: false
  limits:
    burst: 5
- {id: b, provider: gemini}
pools:
- id: p
  profiles: [a, b]
  limits:
    burst: 5
  lastResort:
    profile: b
    onError: false
    onRateLimit: false
  tiers:
  - [a]
  - []
  rules:
  - name: pictures
    profiles: [a]
    when: {needs: [images]}
  - name: words
    profiles: [b]
    when:
      contains: [summarize]
      maxLength: 5
"""


def test_what_can_do_nothing_is_told_with_its_line_and_takes_nobody_out_of_service(file: ConfigFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text(POINTLESS)
    current = file.load()
    assert list(current.profiles) == ["a", "b"] and not current.unreadable
    assert current.pools["p"].profiles == ("a", "b") and len(current.pools["p"].rules) == 2
    assert {(each.field, each.line) for each in current.problems} == {
        ("limits.burst", 7),
        ("limits.burst", 13),
        ("lastResort", 14),
        ("tiers", 18),
        ("rules.0.profiles", 23),
        ("rules.1.when.contains", 28),
    }
    assert all(each.remedy for each in current.problems)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(b"profiles:\n  - id: a\n bad: [", 3, id="not-yaml"),
        pytest.param(b"profiles:\n- id: a\nprofiles: []\n", 3, id="a-section-twice"),
        pytest.param(b"profiles:\n- id: a\n  id: b\n", 3, id="a-field-twice"),
        pytest.param(b"profiles: 5\n", 1, id="no-list"),
        pytest.param(b"- a\n", 1, id="no-mapping"),
        pytest.param(b"a: *nobody\n", 1, id="unknown-alias"),
        pytest.param(b"profiles: !!python/object:os.system []\nx: !evil 1", 2, id="a-tag"),
        pytest.param(b"a: 1\n---\nb: 2\n", 2, id="two-documents"),
        pytest.param("version: 1\n".encode("utf-16"), None, id="utf-16"),
        pytest.param(b"\0" * 300, None, id="zeroed"),
        pytest.param(b"", None, id="emptied"),
        pytest.param(SAMPLE[:60].encode(), None, id="cut-short-where-it-still-parses"),
        pytest.param(b"a: " + b"[" * 500, None, id="nested-deeply"),
        pytest.param(b"a: " + b"9" * 5000, 1, id="a-number-without-end"),
        pytest.param(
            b"a: &a [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(b"%c: &%c [%s]\n" % (c + 1, c + 1, b",".join([b"*%c" % c] * 10)) for c in b"abcdefg"),
            None,
            id="a-billion-laughs",
        ),
    ],
)  # fmt: skip
def test_a_broken_edit_leaves_the_last_good_configuration_in_force(
    sample: ConfigFile, text: bytes, line: int | None
) -> None:
    good = sample.current
    sample.path.write_bytes(text)
    for reader in (sample, ConfigFile(sample.path)):  # the window that runs, and one that starts now
        assert reader is not sample or reader.poll()
        current = reader.load()
        assert current.profiles == good.profiles
        assert current.pools == good.pools
        (problem,) = current.problems
        assert problem.line == line
        assert str(sample.path) in problem.message
        assert "last-good" in (problem.remedy or "")
        with pytest.raises(InvalidInput, match="before it is corrected"):
            reader.save(lambda draft: draft.put_profile(GEMINI))
    assert sample.path.read_bytes() == text
    sample.path.write_text(SAMPLE)
    assert sample.poll()
    assert sample.current == good


def test_a_broken_file_that_never_was_good_is_said_to_leave_nobody_in_force(file: ConfigFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text("profiles:\n  - id: [\n")
    for reader in (file, file, ConfigFile(file.path)):
        reader.load()
        assert reader.current.profiles == {}
        (problem,) = reader.current.problems
        assert problem.message.endswith("No profile is in force until this is mended.")
        assert (problem.line, problem.remedy) == (3, "Correct it.")
    file.path.unlink()
    assert file.load() == Configuration()  # nothing is missed that never was there
    file.save(lambda draft: draft.put_profile(GEMINI))
    file.path.write_text("profiles: [")
    assert "The last good configuration stays in force." in file.load().problems[0].message


def test_a_broken_file_after_an_empty_one_leaves_nobody_in_force_either(file: ConfigFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text("profiles: []\n")
    file.load()
    file.path.write_text("profiles: [\n")
    (problem,) = file.load().problems
    assert problem.message.endswith("No profile is in force until this is mended.")
    assert problem.remedy == f"Correct it; the last good copy is {file.last_good_path}."


def mistyped(file: ConfigFile, switch: str = "") -> None:
    file.path.write_text(file.path.read_text().replace("    cooldown: 30\n", f"    cooldwn: 45\n{switch}"))


def test_a_typing_error_in_one_entry_leaves_its_last_good_version_in_force(sample: ConfigFile) -> None:
    before = sample.current.profiles["Gemini1"]
    mistyped(sample)
    assert sample.poll()
    assert sample.current.profiles["Gemini1"] == before
    assert list(sample.current.profiles) == ["Gemini1", "Gemini2", "default"]
    line = SAMPLE.splitlines().index("    cooldown: 30") + 1
    (problem,) = (each for each in sample.current.problems if each.profile_id == "Gemini1")
    assert (problem.field, problem.line) == ("cooldwn", line)
    assert problem == sample.current.unreadable["Gemini1"]
    assert "stays in force" in problem.message
    sample.save(lambda draft: draft.set_defaults(Defaults(cooldown=5)))  # what else is saved leaves it as it is
    assert "cooldwn: 45" in sample.path.read_text()
    assert sample.current.profiles["Gemini1"] == before
    sample.path.write_text(sample.path.read_text().replace("cooldwn", "cooldown"))
    assert sample.poll()
    assert sample.current.profiles["Gemini1"] == replace(before, cooldown=45)
    assert "Gemini1" not in sample.current.unreadable


BOUND = """\
profiles:
  - {id: near, provider: ollama, model: m, region: eu}
  - {id: far, provider: ollama, model: m}
pools:
  - id: main
    profiles: [near, far]
    region: eu
    rules:
      - {name: asks, when: {mode: [ask]}, profiles: [near]}
  - {id: other, profiles: [far]}
"""
WRONG_IN_A_POOL = [
    pytest.param("    region: eu\n", "    regoin: us\n", "regoin", 7, id="an-unknown-key"),
    pytest.param("mode: [ask]", "mod: [ask]", "rules.0.when.mod", 9, id="an-unknown-key-in-a-rule"),
    pytest.param("[near, far]", "near", "profiles", 6, id="no-list"),
]


@pytest.mark.parametrize(("old", "new", "field", "line"), WRONG_IN_A_POOL)
def test_a_typing_error_in_a_pool_leaves_its_last_good_version_in_force(
    file: ConfigFile, old: str, new: str, field: str, line: int
) -> None:
    file.path.parent.mkdir()
    file.path.write_text(BOUND)
    before = file.load().pools["main"]
    file.path.write_text(BOUND.replace(old, new))
    for reader in (file, ConfigFile(file.path), ConfigFile(file.path)):  # and after a restart, and another
        current = reader.load()
        assert list(current.pools) == ["main", "other"]
        assert current.pool(None) == current.pool("main") == before
        (problem,) = current.problems
        assert (problem.field, problem.line) == (field, line)
        assert problem == current.unreadable_pools["main"]
        assert "The last good version of the pool stays in force." in problem.message
    file.save(lambda draft: draft.set_defaults(Defaults(cooldown=5)))  # what else is saved leaves it as it is
    assert new in file.path.read_text()
    assert file.current.pools["main"] == before
    file.path.write_text(BOUND)
    assert (file.load().problems, file.current.unreadable_pools) == ((), {})


@pytest.mark.parametrize(("old", "new", "field", "line"), WRONG_IN_A_POOL)
def test_a_pool_that_never_could_be_read_is_not_replaced_by_one_that_forbids_less(
    file: ConfigFile, old: str, new: str, field: str, line: int
) -> None:
    file.path.parent.mkdir()
    for pool_id in ("main", "default"):
        file.path.write_text(BOUND.replace("main", pool_id).replace(old, new))
        current = ConfigFile(file.path).load()
        file.last_good_path.unlink()
        assert list(current.pools) == ["other"]
        assert current.pool(None) is None
        assert current.pool(pool_id) is None
        assert current.unreadable_pools[pool_id].line == line


def test_a_pool_without_a_readable_id_may_be_any_pool(file: ConfigFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text(BOUND.replace("- id: main", "- idd: main"))
    current = file.load()
    assert current.pool(None) is None
    assert current.pool("default") is None
    assert current.pool("other") is not None


def test_a_typing_error_in_the_defaults_lifts_none_of_them(file: ConfigFile) -> None:
    told = "defaults:\n  pool: other\n  maxWait: 5\n  budgets:\n    work: {perDay: 1}\n"
    file.path.parent.mkdir()
    file.path.write_text(BOUND + told)
    before = file.load().defaults
    file.path.write_text(BOUND + told.replace("perDay", "perDya"))
    for reader in (file, ConfigFile(file.path)):
        assert reader.load().defaults == before
        (problem,) = reader.current.problems
        assert "The last good version of the defaults stays in force." in problem.message
    file.last_good_path.unlink()
    alone = ConfigFile(file.path).load().defaults  # where there is none, what can be read
    assert (alone.pool, alone.max_wait, alone.budgets) == ("other", 5, {})


def test_the_last_good_version_of_an_entry_outlives_a_restart(sample: ConfigFile) -> None:
    mistyped(sample)
    assert sample.load().profiles["Gemini1"].cooldown == 30
    for _ in range(2):
        assert ConfigFile(sample.path).load().profiles["Gemini1"].cooldown == 30


def test_an_entry_that_cannot_be_read_is_still_switched_and_removed(sample: ConfigFile) -> None:
    mistyped(sample, "    enabled: false\n")
    assert not sample.load().profiles["Gemini1"].enabled
    assert sample.save(lambda draft: draft.set_enabled("Gemini1", True)).profiles["Gemini1"].enabled
    removed = sample.save(lambda draft: draft.remove_profile("Gemini1"))
    assert "Gemini1" not in {**removed.profiles, **removed.unreadable}


LISTED = """\
version: 1
profiles:
  - {id: A, provider: ollama}
  - {id: B, provider: ollama}
  - {id: C, provider: ollama}
pools:
  - id: one
    profiles:
      # the first
      - A  # quick
      # the second
      # (on trial)
      - B   # dear
      - C
    strategy: priority
  - id: two
    profiles:
      - C
      - B  # here too
defaults: {pool: one}
"""


@pytest.mark.parametrize("text", [LISTED, LISTED.partition("defaults:")[0]], ids=["whole", "up to the last line"])
@pytest.mark.parametrize("profile_id", ["A", "B", "C"])
def test_a_profile_that_comes_back_has_its_comments_in_every_pool(file: ConfigFile, text: str, profile_id: str) -> None:
    file.path.parent.mkdir()
    file.path.write_text(text)
    file.load()
    found: list[dict[str, Any]] = []

    def remove(draft: Draft) -> None:
        found.append(json.loads(json.dumps(draft.place(profile_id))))
        draft.remove_profile(profile_id)

    removed = text_after(file, remove)
    assert ("# dear" in removed) == (profile_id != "B")
    assert text_after(file, lambda draft: draft.restore_profile(**found[-1])) == text


def test_comments_come_back_into_a_list_that_was_emptied_meanwhile(file: ConfigFile) -> None:
    file.path.parent.mkdir()
    text = "profiles:\n  - {id: A, provider: ollama}\npools:\n  - id: p\n    profiles:\n      - A  # the one\n"
    file.path.write_text(text)
    file.load()
    found: list[dict[str, Any]] = []

    def remove(draft: Draft) -> None:
        found.append(draft.place("A"))
        draft.remove_profile("A")

    file.save(remove)
    assert "- A  # the one\n" in text_after(file, lambda draft: draft.restore_profile(**found[-1]))


def test_an_edit_by_hand_is_noticed_and_a_look_at_nothing_costs_no_reading(
    sample: ConfigFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not sample.poll()
    sample.path.write_text(SAMPLE.replace("cooldown: 30", "cooldown: 300"))
    assert sample.poll()
    assert sample.current.profiles["Gemini1"].cooldown == 300
    monkeypatch.setattr(machine, "read_regular", None)
    assert not sample.poll()


def test_beginning_anew_is_said_and_then_done(sample: ConfigFile) -> None:
    sample.path.write_text("profiles: []\n")
    assert sample.load().profiles == {}
    assert sample.current.problems == ()
    sample.path.write_text("")
    assert sample.load().problems == ()


def test_a_file_that_goes_away_takes_nothing_with_it(sample: ConfigFile) -> None:
    good = sample.current
    sample.path.unlink()
    assert sample.poll()
    assert sample.current.profiles == good.profiles
    assert "is gone" in sample.current.problems[0].message
    assert "is gone" in ConfigFile(sample.path).load().problems[0].message
    assert "# (from the blue notebook)" in text_after(sample, lambda draft: draft.set_defaults(Defaults()))


@pytest.mark.parametrize("kind", ["directory", "fifo", "foreign-file", "foreign-link"])
def test_what_is_no_file_of_ours_is_refused_without_waiting(
    file: ConfigFile, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.path.parent.mkdir()
    if kind == "directory":
        file.path.mkdir()
    elif kind == "fifo":
        os.mkfifo(file.path)
    else:
        monkeypatch.setattr(os, "getuid", lambda: 12345)
        theirs = file.path.with_name("theirs")
        theirs.write_text("version: 1\n")
        file.path.symlink_to(theirs) if kind == "foreign-link" else theirs.rename(file.path)
        if file.path.parent.stat().st_uid == 0:
            os.lchown(file.path, 54321, 54321)
        else:
            pytest.skip("only root can give a file away")
    assert "cannot be read" in file.load().problems[0].message
    with pytest.raises(RoorouteError):
        file.save(lambda draft: draft.put_profile(GEMINI))


# --- writing ---


def test_a_new_file_is_friendly_private_and_short(file: ConfigFile) -> None:
    text = text_after(file, lambda draft: draft.put_profile(GEMINI))
    assert text.startswith("# rooroute's profiles")
    assert text.endswith(
        "version: 1\n\nprofiles:\n  - id: Gemini1\n    provider: gemini\n    cooldown: 30\n    timeouts:\n      firstToken: 12.5\n"
    )
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700
    assert file.last_good_path.read_text() == text
    assert sorted(p.name for p in file.path.parent.iterdir()) == [
        "config.yaml",
        "config.yaml.last-good",
        "config.yaml.lock",
    ]


def test_saving_what_is_there_changes_no_byte(sample: ConfigFile) -> None:
    def same(draft: Draft) -> None:
        for profile in sample.current.profiles.values():
            draft.put_profile(profile)
        draft.put_pool(sample.current.pools["default"])
        draft.set_defaults(sample.current.defaults)
        draft.reorder(["Gemini1", "Gemini2"])

    assert text_after(sample, same) == SAMPLE


@pytest.mark.parametrize(
    ("change", "edits"),
    [
        pytest.param({"cooldown": 45}, [("    cooldown: 30\n", "    cooldown: 45\n")], id="a-number"),
        pytest.param({"provider": "openai"}, [("provider: gemini   # the good one", "provider: openai   # the good one")], id="beside-a-comment"),
        pytest.param({"cooldown": None}, [("    cooldown: 30\n", "")], id="a-field-away"),
        pytest.param({"name": "Mine"}, [("      total: 300\n", "      total: 300\n    name: Mine\n")], id="a-field-added"),
        pytest.param({"timeouts": Timeouts(first_token=9, total=300)}, [("firstToken: 20   # patience", "firstToken: 9   # patience")], id="a-field-within"),
        pytest.param(
            {"timeouts": Timeouts()},
            [("    # tokens are dear here\n    timeouts:\n      firstToken: 20   # patience\n      total: 300\n", "")],
            id="a-field-away-with-its-comment",
        ),
    ],
)  # fmt: skip
def test_a_changed_field_changes_its_line_alone(
    sample: ConfigFile, change: dict[str, Any], edits: list[tuple[str, str]]
) -> None:
    expected = SAMPLE
    for old, new in edits:
        expected = expected.replace(old, new, 1)
    profile = replace(sample.current.profiles["Gemini1"], **change)
    assert text_after(sample, lambda draft: draft.put_profile(profile)) == expected
    assert sample.current.profiles["Gemini1"] == profile


GEMINI1 = SAMPLE[SAMPLE.index("  # my private key") : SAMPLE.index("\n  # work")]
GEMINI2 = SAMPLE[SAMPLE.index("  # work") : SAMPLE.index("\n  # --- the others")]
ODD = SAMPLE[SAMPLE.index("  # broken on") : SAMPLE.index("\n  # last hope")]
LAST = SAMPLE[SAMPLE.index("  # last hope") : SAMPLE.index("  # after everything")]


def without_references(text: str, name: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if line.split("#")[0].strip() != f"- {name}")


@pytest.mark.parametrize(
    ("profile_id", "expected"),
    [
        pytest.param("Gemini1", SAMPLE.replace(GEMINI1 + "\n", "", 1), id="first"),
        pytest.param("Gemini2", SAMPLE.replace("\n" + GEMINI2, "", 1).replace("      # the second\n", ""), id="middle"),
        pytest.param("odd", SAMPLE.replace(ODD + "\n", "", 1), id="unreadable"),
        pytest.param("default", SAMPLE.replace("\n" + LAST, "", 1), id="last"),
    ],
)
def test_a_removed_profile_takes_its_own_comments_along_and_no_others(
    sample: ConfigFile, profile_id: str, expected: str
) -> None:
    changed = text_after(sample, lambda draft: draft.remove_profile(profile_id))
    assert changed == without_references(expected, profile_id)


def test_moved_profiles_take_their_comments_along(sample: ConfigFile) -> None:
    changed = text_after(sample, lambda draft: draft.reorder(["default", "Gemini2", "Gemini1", "odd"]))
    order = [LAST, GEMINI2, GEMINI1, ODD]
    assert [changed.index(block) for block in order] == sorted(changed.index(block) for block in order)
    assert sorted(changed.splitlines()) == sorted(SAMPLE.splitlines())
    assert list(sample.current.profiles) == ["default", "Gemini2", "Gemini1"]
    sample.save(lambda draft: draft.reorder(["Gemini1", "Gemini2", "odd", "default"]))
    assert sample.path.read_text() == SAMPLE


def test_members_of_a_pool_move_with_their_comments(sample: ConfigFile) -> None:
    pool = replace(sample.current.pools["default"], profiles=("Gemini2", "default", "Gemini1"))
    changed = text_after(sample, lambda draft: draft.put_pool(pool))
    members = "      - Gemini1\n      # the second\n      - Gemini2   # eol\n      - default\n"
    moved = "      # the second\n      - Gemini2   # eol\n      - default\n      - Gemini1\n"
    assert changed == SAMPLE.replace(members, moved)


def test_a_renamed_profile_keeps_its_lines_and_its_places_in_pools(sample: ConfigFile) -> None:
    changed = text_after(sample, lambda draft: draft.rename_profile("Gemini2", "Work"))
    assert changed == SAMPLE.replace("    id: Gemini2\n", "    id: Work\n").replace(
        "- Gemini2   # eol", "- Work   # eol"
    )


def test_a_renamed_pool_stays_the_default(sample: ConfigFile) -> None:
    sample.save(lambda draft: draft.set_defaults(Defaults(cooldown=60, pool="default")))
    current = sample.save(lambda draft: draft.rename_pool("default", "main"))
    assert list(current.pools) == ["main"]
    assert current.defaults.pool == "main"
    assert "    # order matters\n" in sample.path.read_text()


def test_a_new_profile_stands_as_apart_as_the_others_do(sample: ConfigFile) -> None:
    changed = text_after(sample, lambda draft: draft.put_profile(Profile(id="new", provider="openai"), 1))
    assert changed == SAMPLE.replace("\n  # work\n", "\n  - id: new\n    provider: openai\n\n  # work\n", 1)


def test_a_pool_is_saved_shortest(file: ConfigFile) -> None:
    pool = Pool(id="p", profiles=("Gemini1",), strategy=Strategy.ROUND_ROBIN, max_wait=2.5)

    def edit(draft: Draft) -> None:
        draft.put_profile(GEMINI)
        draft.put_pool(pool)

    assert (
        "pools:\n  - id: p\n    profiles:\n      - Gemini1\n    strategy: round_robin\n    maxWait: 2.5\n"
        in text_after(file, edit)
    )
    assert file.current.pools == {"p": pool}
    file.save(lambda draft: draft.remove_pool("p"))
    assert file.current.pools == {}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"version": 1, "profiles": [{"id": "a", "provider": "gemini"}]}', id="json"),
        pytest.param("profiles: [{id: a, provider: gemini}]  # all of them\n# end\n", id="flow-list"),
        pytest.param("profiles:\n- id: a\n  provider: gemini", id="no-end-of-line"),
        pytest.param("profiles:\r\n- id: a\r\n  # b\r\n  provider: gemini\r\n", id="crlf"),
        pytest.param("\ufeffprofiles:\n- id: a\n  provider: gemini\n", id="bom"),
        pytest.param(
            "---\nprofiles:\n-\n    # far\n    id: a\n    provider: gemini\n...\n", id="markers-and-a-lonely-dash"
        ),
        pytest.param("profiles:\n- &x\n  id: a\n  provider: gemini\n", id="anchor"),
        pytest.param("x: &p {provider: gemini}\nprofiles:\n- <<: *p\n  id: a\n", id="merge-key"),
        pytest.param("? profiles\n: - id: a\n    provider: gemini\n", id="question-mark-key"),
        pytest.param("profiles:\n- {id: a, provider: gemini}\npools:\n", id="empty-section"),
    ],
)
def test_any_layout_can_be_added_to(file: ConfigFile, text: str) -> None:
    file.path.parent.mkdir()
    file.path.write_text(text, newline="")
    file.load()
    old = file.current.profiles["a"]
    new = replace(old, cooldown=5.0, timeouts=Timeouts(idle=1))

    def edit(draft: Draft) -> None:
        draft.put_profile(GEMINI)
        draft.put_profile(new)
        draft.put_pool(Pool(id="p", profiles=("a", "Gemini1")))

    try:
        current = file.save(edit)
    except InvalidInput as refused:
        assert "by hand" in refused.message
        assert file.path.read_bytes() == text.encode()
        assert "#" in text
    else:
        assert current.profiles == {"a": new, "Gemini1": GEMINI}
        assert list(current.pools) == ["p"]
        written = file.path.read_bytes()
        assert (b"\r\n" in written) == ("\r\n" in text)
        assert written.count(b"\n") == written.count(b"\r\n") or "\r\n" not in text
        assert ("#" in text) == (b"#" in written)
        removed = file.save(lambda draft: draft.remove_profile("a"))
        assert list(removed.profiles) == ["Gemini1"]


def test_a_profile_switched_off_and_on_again_leaves_no_trace(sample: ConfigFile) -> None:
    off = text_after(sample, lambda draft: draft.set_enabled("Gemini1", False))
    assert "    enabled: false\n" in off
    assert text_after(sample, lambda draft: draft.set_enabled("Gemini1", True)) == SAMPLE
    assert text_after(sample, lambda draft: draft.set_enabled("Gemini2", True)) == SAMPLE  # as a person wrote it


def test_the_last_pool_takes_its_section_along(sample: ConfigFile) -> None:
    sample.save(lambda draft: draft.put_pool(Pool(id="work", profiles=("Gemini1",))))
    assert "pools:" in text_after(sample, lambda draft: draft.remove_pool("work"))
    assert "pools" not in text_after(sample, lambda draft: draft.remove_pool("default"))


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda draft: draft.remove_profile("ghost"), id="remove-profile"),
        pytest.param(lambda draft: draft.remove_pool("ghost"), id="remove-pool"),
        pytest.param(lambda draft: draft.rename_profile("ghost", "x"), id="rename-profile"),
        pytest.param(lambda draft: draft.rename_pool("ghost", "x"), id="rename-pool"),
        pytest.param(lambda draft: draft.reorder(["ghost"]), id="reorder"),
    ],
)
def test_what_is_not_there_cannot_be_changed(sample: ConfigFile, edit: Callable[[Draft], None]) -> None:
    with pytest.raises(NotFound, match="ghost"):
        sample.save(edit)
    assert sample.path.read_text() == SAMPLE


def test_a_name_that_is_taken_cannot_be_given(sample: ConfigFile) -> None:
    with pytest.raises(InvalidInput, match="already"):
        sample.save(lambda draft: draft.rename_profile("Gemini1", "GEMINI2"))
    assert "Gemini1" not in sample.save(lambda draft: draft.rename_profile("Gemini1", "gemini1")).profiles


def test_a_newer_format_is_read_and_not_written(file: ConfigFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text("version: 2\nprofiles:\n- {id: a, provider: gemini}\n")
    assert list(file.load().profiles) == ["a"]
    assert "Another version" in file.current.problems[0].message
    with pytest.raises(InvalidInput, match="update rooroute"):
        file.save(lambda draft: draft.put_profile(GEMINI))


# --- with others ---


def test_a_stale_revision_is_a_conflict_that_shows_both_versions(sample: ConfigFile) -> None:
    revision = sample.current.revision
    other = ConfigFile(sample.path)
    theirs = replace(other.load().profiles["Gemini1"], cooldown=1.0)
    other.save(lambda draft: draft.put_profile(theirs), revision)
    mine = replace(sample.current.profiles["Gemini1"], cooldown=2.0)
    before = sample.path.read_text()
    with pytest.raises(Conflict) as conflict:
        sample.save(lambda draft: draft.put_profile(mine), revision)
    assert conflict.value.data["yours"]["cooldown"] == 2
    assert conflict.value.data["current"]["cooldown"] == 1
    assert conflict.value.data["configRevision"] == other.current.revision == sample.current.revision
    assert sample.path.read_text() == before


def test_windows_that_save_at_once_lose_nothing(sample: ConfigFile) -> None:
    def add(n: int) -> None:
        ConfigFile(sample.path).save(lambda draft: draft.put_profile(Profile(id=f"p{n}", provider="gemini")))

    with ThreadPoolExecutor(6) as windows:
        list(windows.map(add, range(18)))
    assert set(sample.load().profiles) == {"Gemini1", "Gemini2", "default", *(f"p{n}" for n in range(18))}
    assert all(line in sample.path.read_text() for line in SAMPLE.splitlines())


def test_a_window_that_hangs_with_the_lock_is_told_of(sample: ConfigFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rooroute.adapters.config_file._LOCK_SECONDS", 0.01)
    lock = sample.path.with_name("config.yaml.lock")
    with machine.file_lock(lock, 0), pytest.raises(RoorouteError, match="Another window"):
        sample.save(lambda draft: draft.put_profile(GEMINI))
    assert sample.path.read_text() == SAMPLE


@pytest.mark.parametrize("step", ["mkstemp", "write", "fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EACCES])
def test_a_write_that_fails_leaves_the_old_file_and_says_why(
    sample: ConfigFile, monkeypatch: pytest.MonkeyPatch, step: str, code: int
) -> None:
    def fail(*_: object, **__: object) -> Any:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as broken:
        if step == "write":
            real = os.fdopen

            class Full:
                def __init__(self, descriptor: int, mode: str) -> None:
                    self.file = real(descriptor, mode)

                def __enter__(self) -> Self:
                    return self

                def __exit__(self, *_: object) -> None:
                    self.file.close()

                write = fail

            broken.setattr(os, "fdopen", lambda fd, mode: Full(fd, mode) if mode == "wb" else real(fd, mode))
        else:
            broken.setattr(tempfile if step == "mkstemp" else os, step, fail)
        with pytest.raises(RoorouteError, match="nothing was changed"):
            sample.save(lambda draft: draft.put_profile(replace(GEMINI, cooldown=77.0)))
    assert sample.path.read_text() == SAMPLE
    assert sample.current.profiles["Gemini1"].cooldown == 30
    assert not [p for p in sample.path.parent.iterdir() if p.name.endswith(".new")]


def test_a_link_of_a_dotfile_collection_stays_a_link(file: ConfigFile, tmp_path: Path) -> None:
    home = tmp_path / "dotfiles" / "rooroute.yaml"
    home.parent.mkdir()
    home.write_text(SAMPLE)
    file.path.parent.mkdir()
    file.path.symlink_to(home)
    file.save(lambda draft: draft.put_profile(replace(GEMINI, id="new")))
    assert file.path.is_symlink()
    assert "id: new" in home.read_text()
    home.write_text(SAMPLE)
    assert file.poll()


WRITER = textwrap.dedent("""
    import sys
    from pathlib import Path
    from rooroute.adapters.config_file import ConfigFile
    from rooroute.profiles import Profile

    file = ConfigFile(Path(sys.argv[1]))
    for n in range(10_000):
        file.save(lambda draft: draft.put_profile(Profile(id="counted", provider="gemini", cooldown=float(n))))
        print(n, flush=True)
    """)


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(sample: ConfigFile) -> None:
    for last in (3, 8, 15):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(sample.path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout
        for line in process.stdout:
            if int(line) == last:
                break
        process.kill()
        acknowledged = [last, *(int(line) for line in process.communicate()[0].split("\n")[:-1])]
        current = sample.load()
        assert [p.field for p in current.problems] == ["theme", "colour"]
        assert (current.profiles["counted"].cooldown or 0) >= acknowledged[-1]
        sample.save(lambda draft: draft.put_profile(GEMINI))


# --- any text ---

_words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words.filter(bool), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_words, _values), min_size=1, max_size=5, unique_by=lambda pair: pair[0]))
def test_whatever_is_written_is_what_is_read(entries: list[tuple[str, Any]]) -> None:
    document = config_text.read("version: 1\nprofiles:\n  - id: first # c\n    x: 1\n# tail\n")
    data = {
        "version": 1,
        "profiles": [{"id": "first", "x": 1}, *({"id": f"+{name}", "v": value} for name, value in entries)],
    }
    try:
        grown = config_patch.patched(document, data)
    except config_text.Unpatchable:
        assert not all(c.isprintable() or c in "\n\t" for c in repr(data))
        return
    assert grown.data == data
    assert "first # c" in grown.text
    fewer = {"version": 1, "profiles": [*reversed(data["profiles"][1:])]}  # type: ignore[index]
    shrunk = config_patch.patched(grown, fewer)
    assert shrunk.data == fewer
    assert "# tail" in shrunk.text


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_entrys_comment_stays_right_above_it_whatever_is_done(data: st.DataObject) -> None:
    """Entries in any of the usual spacings; each knows its own comment, and two comments belong to nobody."""
    indent = data.draw(st.sampled_from(["", "  ", "    "]), "indent")
    gap = data.draw(st.sampled_from(["", "\n", "\n\n"]), "gap")
    names = list("abcdef")

    def entry(name: str) -> str:
        return f"{indent}# about {name}\n{indent}- id: {name}\n{indent}  provider: gemini # {name}\n{indent}  # within {name}\n{indent}  cooldown: 5\n"

    text = f"# top\nversion: 1\n\n# profiles\nprofiles:\n{indent}# nobody's\n\n{gap.join(map(entry, names))}\n# pools\npools: []\n# end\n"
    document = config_text.read(text)
    steps = st.sampled_from(["remove", "move", "change", "rename", "add"])
    for count, step in enumerate(data.draw(st.lists(steps, min_size=1, max_size=5), "steps")):
        if not names:
            break
        draft = Draft(json.loads(json.dumps(document.data)))
        name = data.draw(st.sampled_from(names), "name")
        if step == "remove":
            draft.remove_profile(name)
            names.remove(name)
        elif step == "move":
            names = data.draw(st.permutations(names), "order")
            draft.reorder(names)
        elif step == "change":
            draft.put_profile(Profile(id=name, provider="gemini", cooldown=float(count + 6), model="m"))
        elif step == "rename":
            draft.rename_profile(name, f"{name}{count}")
            names[names.index(name)] = f"{name}{count}"
        else:
            draft.put_profile(Profile(id=f"new{count}", provider="gemini"))
        document = config_patch.patched(document, draft.data, draft.renamed)
        lines = [line.strip() for line in document.text.splitlines()]
        for kept in names:
            first = kept[0]
            place = lines.index(f"- id: {kept}")
            assert lines[place - 1 : place + 3] == [
                f"# about {first}",
                lines[place],
                f"provider: gemini # {first}",
                f"# within {first}",
            ]
        assert [line for line in lines if line.startswith("- id: ") and "new" not in line] == [
            f"- id: {kept}" for kept in names
        ]
        assert sum(line.startswith("# about") for line in lines) == len(names)
        assert [line for line in lines if line in {"# top", "# profiles", "# nobody's", "# pools", "# end"}] == [
            "# top", "# profiles", *(["# nobody's"] if draft.data["profiles"] else []), "# pools", "# end",
        ]  # fmt: skip


def test_no_damage_of_a_byte_does_more_than_be_told(tmp_path: Path) -> None:
    raw = SAMPLE.encode()
    damaged = [raw[:cut] for cut in range(0, len(raw), 11)]
    damaged += [raw[:at] + bytes([raw[at] ^ (1 << at % 8)]) + raw[at + 1 :] for at in range(0, len(raw), 7)]
    file = ConfigFile(tmp_path / "config.yaml")
    for data in damaged:
        file.path.write_bytes(data)
        file.last_good_path.write_text(SAMPLE)
        current = ConfigFile(file.path).load()
        assert current.profiles or current.unreadable
        assert current.problems
        for problem in current.problems:
            assert problem.message
