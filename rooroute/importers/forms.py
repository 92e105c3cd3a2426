"""Whose configuration a text is, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from rooroute.errors import InvalidInput
from rooroute.importers import litellm, loom, simple_guide
from rooroute.importers.account import Section
from rooroute.importers.gathered import Gathered, Imported
from rooroute.profiles import Configuration

FORMS: Final[Mapping[str, tuple[frozenset[str], Callable[[Section, Gathered], None]]]] = {
    "loom": (frozenset({"ai_gateway"}), lambda root, gathered: loom.read(root.section("ai_gateway"), gathered)),
    "litellm": (frozenset({"model_list", "router_settings", "litellm_settings"}), litellm.read),
    "roocode": (frozenset({"providers", "routing_rules"}), simple_guide.read),
}
"""By name: the sections by which a form is known, and its reader."""

OWN: Final = frozenset({"profiles", "pools", "defaults"})
"""The sections by which rooroute's own configuration is known."""


def form_of(data: Mapping[str, Any]) -> str | None:
    """The name of the form; None where no section is known."""
    return next((name for name, (sections, _) in FORMS.items() if sections & data.keys()), None)


def imported(
    data: Mapping[str, Any], saved: Configuration, pool_id: str | None = None, refused: Mapping[str, str] | None = None
) -> Imported:
    """What a file, as plain data, comes to on top of what is ``saved``. ``pool_id`` names the pool for its routing; ``refused`` says of
    profiles, by id, why they cannot be saved.

    Raises InvalidInput when it is no form that is known; anything else that cannot be used is on the account.
    """
    form = form_of(data)
    if form is None:
        known = ", ".join(sorted({name for sections, _ in FORMS.values() for name in sections} | OWN))
        raise InvalidInput(
            f"Nothing in it is known to rooroute; it reads files that hold one of {known}.", field="text"
        )
    gathered = Gathered(saved, form, pool_id, refused or {})
    FORMS[form][1](Section(data, (), gathered.account), gathered)
    return gathered.finish(data)
