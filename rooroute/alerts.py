"""Notices of profiles that fail often or answer slowly, by the ledger's numbers: raised once, and gone when things are clearly better."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from rooroute.ledger import BLAMELESS, OK, AttemptRecord, percentile
from rooroute.profiles import Alerts, Configuration, Problem, Profile
from rooroute.unanswered import duration_words

_EASED: Final = 0.8
"""A notice goes when the figure is below this part of its threshold: at the threshold itself it would come and go."""

Kind = Literal["errorRate", "firstToken"]


@dataclass(slots=True)
class Notices:
    """One window's. ``standing`` are the notices raised and not over, each in the words it was raised with."""

    standing: dict[tuple[str, Kind], Problem] = field(default_factory=dict)
    _by: Alerts | None = None

    def look(self, records: Iterable[AttemptRecord], configuration: Configuration, now: float) -> list[Problem]:
        """What stands at ``now`` (UTC epoch seconds), by these attempts."""
        alerts = configuration.defaults.alerts
        if alerts != self._by:
            self.standing, self._by = {}, alerts
        recent: dict[str, list[AttemptRecord]] = defaultdict(list)
        for each in records:
            if each.at > now - alerts.window and each.verdict not in BLAMELESS:
                recent[each.profile_id].append(each)
        before, self.standing = self.standing, {}
        for profile in configuration.profiles.values():
            if profile.enabled and profile.id in recent:
                self._judge(profile, recent[profile.id], alerts, before)
        return list(self.standing.values())

    def _judge(
        self,
        profile: Profile,
        attempts: Sequence[AttemptRecord],
        alerts: Alerts,
        before: dict[tuple[str, Kind], Problem],
    ) -> None:
        waits = sorted(each.first_token_s for each in attempts if each.first_token_s is not None)
        wait = percentile(waits, 0.5) or 0.0
        failed = sum(each.verdict != OK for each in attempts)
        within = f"within {duration_words(alerts.window)}"
        figures: tuple[tuple[Kind, float, float | None, int, str, str], ...] = (
            (
                "errorRate",
                failed / len(attempts),
                alerts.error_rate,
                len(attempts),
                f"{profile.title} failed {failed} of {len(attempts)} attempts {within}.",
                "Test the profile to see what is wrong; others answer meanwhile.",
            ),
            (
                "firstToken",
                wait,
                alerts.first_token,
                len(waits),
                f"{profile.title} took {wait:.1f} seconds to its first token, the median {within}.",
                "Let a pool's latency.tooSlow put it behind the others, or choose another model.",
            ),
        )
        for kind, figure, most, many, sentence, remedy in figures:
            known = before.get((profile.id, kind))
            if not most or not many or figure < most * (1.0 if known is None else _EASED):
                continue
            if known is not None:
                self.standing[profile.id, kind] = known
            elif many >= alerts.attempts:
                raised = Problem(sentence, field=f"alerts.{kind}", remedy=remedy, profile_id=profile.id)
                self.standing[profile.id, kind] = raised
