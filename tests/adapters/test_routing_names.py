"""A profile's name in a pool's routing follows when it is renamed, and goes when it is deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

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
    assert found["rules.1.when.pattern"] == 15
