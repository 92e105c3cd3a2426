"""Every row of the table has a section of its own that says what the row says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rooroute.profiles import AuthKind
from rooroute.providers.table import PROVIDERS, KeyNeed, Vendor

TEXT = (Path(__file__).parents[2] / "protocol" / "providers.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("row", PROVIDERS.values(), ids=PROVIDERS)
def test_a_row_has_its_section(row: Vendor) -> None:
    section = SECTIONS[row.id]
    said = [row.documentation, row.default_base_url, row.key.page, row.key.dummy, row.default_model]
    said += [field.name for field in row.fields if field.name.startswith("options.")]
    said += [preset.name.removesuffix(" server") for preset in row.presets]
    for each in said:
        assert not each or each in section
    header = "Authorization: Bearer" if row.key.place.header == "authorization" else row.key.place.header
    assert f"`{header}`" in section
    assert (row.key.need is KeyNeed.OPTIONAL) == ("key is optional" in section)
    for field in row.fields:
        if field.required and field.name not in ("apiKey", "model"):
            assert f"`{field.name}` is required" in section


def test_no_section_is_about_nothing() -> None:
    assert set(SECTIONS) == {*PROVIDERS, "Authentication"}


def test_every_kind_of_authentication_is_told() -> None:
    told = re.findall(r"^\| `([a-z-]+)` \|", SECTIONS["Authentication"], re.MULTILINE)
    assert told == ["kind", *(kind.value for kind in AuthKind)]
