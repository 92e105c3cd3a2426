"""A profile's name in a pool's routing follows when it is renamed, and goes when it is deleted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rooroute.adapters.config_draft import Draft
from rooroute.adapters.config_file import ConfigFile
from rooroute.profiles import LastResort, Pool, Rule, Strategy, When
from rooroute.providers.table import check

FILE = """\
profiles:
  - {id: A, provider: openai-compatible, baseUrl: "http://localhost:1/v1", model: m}
  - {id: B, provider: openai-compatible, baseUrl: "http://localhost:2/v1", model: m}
pools:
  - id: p
    profiles: [A, B]
    strategy: model
    weights: {A: 3, B: 1}
    split: {A: 5}
    tiers: [[A], [B]]
    modelRoutes:
      gpt-4: A  # the dear one
      other: B
    defaultRoute: A
    rules:
      - {name: only-a, when: {mode: [x]}, profiles: [A]}
      - {name: both, when: {mode: [y]}, profiles: [A, B]}
    lastResort: {profile: A}
"""


@pytest.fixture
def file(tmp_path: Path) -> ConfigFile:
    (tmp_path / "config.yaml").write_text(FILE)
    made = ConfigFile(tmp_path / "config.yaml", check)
    made.load()
    assert not made.current.problems
    return made


def test_a_renamed_profile_is_named_anew_everywhere(file: ConfigFile) -> None:
    after = file.save(lambda draft: draft.rename_profile("A", "New"))
    assert not after.problems
    assert after.pools["p"] == Pool(
        id="p",
        profiles=("New", "B"),
        strategy=Strategy.MODEL,
        weights={"New": 3.0, "B": 1.0},
        split={"New": 5.0},
        tiers=(("New",), ("B",)),
        model_routes={"gpt-4": "New", "other": "B"},
        default_route="New",
        rules=(
            Rule(name="only-a", when=When(mode=("x",)), profiles=("New",)),
            Rule(name="both", when=When(mode=("y",)), profiles=("New", "B")),
        ),
        last_resort=LastResort(profile="New"),
    )
    assert "# the dear one" in file.path.read_text()


def test_a_deleted_profile_is_named_no_more(file: ConfigFile) -> None:
    after = file.save(lambda draft: draft.remove_profile("A"))
    assert not after.problems
    assert after.pools["p"] == Pool(
        id="p",
        profiles=("B",),
        strategy=Strategy.MODEL,
        weights={"B": 1.0},
        tiers=(("B",),),
        model_routes={"other": "B"},
        rules=(Rule(name="both", when=When(mode=("y",)), profiles=("B",)),),
    )


def test_what_leads_nowhere_in_a_file_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(FILE.replace("other: B", "other: Z").replace("mode: [y]", "pattern: '('"))
    made = ConfigFile(tmp_path / "config.yaml", check)
    made.load()
    found = {problem.field: problem.line for problem in made.current.problems}
    assert found["modelRoutes"] == 11
    assert found["rules.1.when.pattern"] == 17


# --- a deleted profile that comes back ---


def delete(file: ConfigFile, profile_id: str) -> dict[str, Any]:
    """Delete a profile; what is kept to restore it, as it comes back from where it was kept."""
    found: list[dict[str, Any]] = []

    def remove(draft: Draft) -> None:
        found.append(draft.place(profile_id))
        draft.remove_profile(profile_id)

    file.save(remove)
    kept: dict[str, Any] = json.loads(json.dumps(found[-1]))
    return kept


def restore(file: ConfigFile, kept: dict[str, Any]) -> Pool:
    after = file.save(lambda draft: draft.restore_profile(**kept))
    assert not after.problems
    return after.pools["p"]


@pytest.mark.parametrize("profile_id", ["A", "B"])
def test_a_restored_profile_is_named_again_everywhere(file: ConfigFile, profile_id: str) -> None:
    before = file.current
    kept = delete(file, profile_id)
    after = restore(file, kept)
    assert after == before.pools["p"]
    assert list(after.model_routes) == list(before.pools["p"].model_routes), "the first that fits is met"
    assert (list(after.split), file.current.profiles) == (list(before.pools["p"].split), before.profiles)


def test_what_was_changed_since_stays_as_it_was_changed(file: ConfigFile) -> None:
    kept = delete(file, "A")
    left = file.current.pools["p"]
    changed = replace(
        left,
        default_route="B",
        model_routes={"gpt-4": "B"},
        split={"B": 98.0},
        tiers=(),
        rules=(Rule(name="only-a", when=When(mode=("z",)), profiles=("B",)),),
        last_resort=LastResort(profile="B"),
    )
    file.save(lambda draft: draft.put_pool(changed))
    after = restore(file, kept)
    assert after == replace(changed, profiles=("A", "B"), weights={"A": 3.0, "B": 1.0}, tiers=(("A",),))


def test_a_pool_that_is_gone_does_not_come_back_with_a_profile(file: ConfigFile) -> None:
    kept = delete(file, "A")
    file.save(lambda draft: draft.remove_pool("p"))
    after = file.save(lambda draft: draft.restore_profile(**kept))
    assert set(after.profiles) == {"A", "B"} and not after.pools


def test_a_key_that_comes_back_stands_where_it_stood_among_lines_of_their_own(tmp_path: Path) -> None:
    """Which of two routes that fit is gone depends on their order."""
    text = FILE.replace(
        "      gpt-4: A  # the dear one\n      other: B\n", "      o*: B  # small\n      gpt-*: A\n      '*': B\n"
    ).replace("    defaultRoute: A\n", "")
    (tmp_path / "config.yaml").write_text(text)
    file = ConfigFile(tmp_path / "config.yaml", check)
    file.load()
    kept = delete(file, "A")
    assert list(restore(file, kept).model_routes.items()) == [("o*", "B"), ("gpt-*", "A"), ("*", "B")]
    assert "o*: B  # small\n" in (tmp_path / "config.yaml").read_text()
