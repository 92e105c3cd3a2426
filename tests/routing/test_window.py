"""What a window remembers for itself."""

from __future__ import annotations

from rooroute.profiles import Strategy
from rooroute.routing import window
from rooroute.routing.window import Stay, Window
from tests.routing.scenario import NOON

PRIORITY, ROUND_ROBIN = Strategy.PRIORITY, Strategy.ROUND_ROBIN


def test_a_session_stays_since_its_first_answer_from_the_same_profile() -> None:
    mine = Window()
    for moment in range(3):
        mine.answered("pool", "talk", "Gemini1", NOON + moment, PRIORITY)
    assert mine.stay("pool", "talk") == Stay("Gemini1", NOON)
    mine.answered("pool", "talk", "default", NOON + 9, PRIORITY)
    assert mine.stay("pool", "talk") == Stay("default", NOON + 9)
    assert mine.stay("pool", "another") is None


def test_a_rotation_holds_in_a_priority_pool_and_has_its_turn_in_a_round_robin() -> None:
    mine = Window()
    mine.rotate("pool", "Gemini2")
    mine.answered("pool", "talk", "Gemini2", NOON, PRIORITY)
    assert mine.pointers == {"pool": "Gemini2"}
    mine.answered("pool", "talk", "Gemini1", NOON, ROUND_ROBIN)
    assert mine.pointers == {"pool": "Gemini2"}
    mine.answered("pool", "talk", "Gemini2", NOON, ROUND_ROBIN)
    assert mine.pointers == {}


def test_a_lost_pointer_is_gone_and_losing_it_twice_is_no_harm() -> None:
    mine = Window()
    mine.rotate("pool", "Gemini2")
    mine.lose_pointer("pool")
    mine.lose_pointer("pool")
    assert mine.pointers == {}


def test_the_session_answered_longest_ago_is_forgotten_first() -> None:
    mine = Window()
    for number in range(window.MAX_SESSIONS):
        mine.answered("pool", str(number), "Gemini1", NOON, PRIORITY)
    mine.answered("pool", "0", "Gemini1", NOON, PRIORITY)
    mine.answered("pool", "new", "Gemini1", NOON, PRIORITY)
    assert mine.stay("pool", "0") and mine.stay("pool", "new")
    assert mine.stay("pool", "1") is None
    assert len(mine.stays) == window.MAX_SESSIONS
