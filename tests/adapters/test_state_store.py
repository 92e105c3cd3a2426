"""The learnt state: shared by windows, never in the way, never lost to a crash."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rooroute.adapters import machine
from rooroute.adapters.state_store import StateStore
from rooroute.ledger import AttemptRecord
from rooroute.outcome import Fault, Scope
from rooroute.routing.marks import Change, Mark, MarkKey, MarkState, ProbeLease, Snapshot
from rooroute.routing.noticed import (
    NOTICE_SECONDS,
    NOTICES_KEPT,
    Account,
    Dismissed,
    Farewell,
    Leaving,
    Limited,
    Notice,
    NoticeKind,
)

NOW = 1_800_000_000.0
KEY = MarkKey(Scope.PROFILE, "Gemini1", "gemini-2.5-pro")
MARK = Mark(
    key=KEY, state=MarkState.COOLDOWN, fault=Fault.RATE_LIMIT, since=NOW, until=NOW + 30, hinted=True, strike=2,
    faults=(NOW - 2, NOW - 1), reason="Quota exceeded ½ \ud83d", profile_id="Gemini1", fingerprint="ab12", generation=3,
)  # fmt: skip


def put(mark: Mark) -> Callable[[Snapshot], tuple[Change, int]]:
    return lambda snapshot: (Change(put_marks=(mark,)), snapshot.revision)


def attempt(n: int = 1, at: float = NOW, request_id: str = "r1") -> AttemptRecord:
    return AttemptRecord(
        request_id=request_id,
        n=n,
        at=at,
        pool_id="default",
        profile_id="Gemini1",
        model="m",
        verdict="ok",
        tags=("a", "b"),
    )


Opener = Callable[..., StateStore]


async def next_look() -> None:
    """The shared picture is looked for once in a turn of the loop."""
    await asyncio.sleep(0)


@pytest.fixture
async def window(tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens a store on one shared file, as a window would."""
    opened: list[StateStore] = []

    def opener(identity: str = machine.identity(), path: Path = tmp_path / "state" / "state.sqlite3") -> StateStore:
        store = StateStore(path, identity, clock=lambda: NOW, version="1", alive=lambda name: name != "dead")
        store.open()
        opened.append(store)
        return store

    yield opener
    for store in opened:
        await store.close()


async def test_a_change_is_in_the_picture_when_update_returns(window: Opener) -> None:
    store = window()
    assert await store.update(put(MARK)) == 0
    assert store.snapshot().marks == {KEY: replace(MARK, reason="Quota exceeded ½ \ud83d")}
    assert store.snapshot().revision == 1


async def test_a_mark_survives_a_restart_unchanged_but_for_half_characters(window: Opener) -> None:
    first = window()
    await first.update(put(MARK))
    await first.close()
    assert window().snapshot().marks == {KEY: replace(MARK, reason="Quota exceeded ½ ?")}


async def test_another_window_sees_a_change_at_its_next_look(window: Opener) -> None:
    one, other = window("one"), window("other")
    await one.update(put(MARK))
    await next_look()
    assert KEY in other.snapshot().marks
    await other.update(lambda _: (Change(drop_marks=(KEY,)), None))
    assert not one.snapshot().marks


async def test_an_update_that_cannot_wait_is_written_without_a_detour_and_seen_by_all(window: Opener) -> None:
    here, there = window("w1"), window("w2")
    threads = []

    def decide(snapshot: Snapshot) -> tuple[Change, int]:
        threads.append(threading.get_ident())
        return put(MARK)(snapshot)

    assert await here.update_now(decide) == 0
    assert threads == [threading.get_ident()]
    assert here.snapshot().marks.keys() == {KEY}
    await here.save()
    await next_look()
    assert here.snapshot().marks.keys() == there.snapshot().marks.keys() == {KEY}


async def test_of_two_windows_that_cannot_wait_for_a_lease_one_gets_it_and_the_other_learns_of_it(
    window: Opener, tmp_path: Path
) -> None:
    here, there = window("w1"), window("w2")

    def taken_by(name: str) -> Callable[[Snapshot], tuple[Change, str]]:
        def decide(snapshot: Snapshot) -> tuple[Change, str]:
            if (lease := snapshot.leases.get(KEY)) is not None:
                return Change(), lease.owner
            return Change(put_leases=(ProbeLease(KEY, name, NOW + 90, 1),)), name

        return decide

    assert await here.update_now(taken_by("w1/1")) == "w1/1"
    assert await there.update_now(taken_by("w2/1")) == "w1/1"
    with machine.file_lock(tmp_path / "state" / "state.sqlite3.lock", 0.0):
        assert there.snapshot().leases[KEY].owner == "w1/1"  # and nobody is kept from writing any more


async def test_whoever_decides_may_look_at_the_picture_while_deciding(window: Opener) -> None:
    store = window()

    def decide(snapshot: Snapshot) -> tuple[Change, bool]:
        store.poll()
        return Change(put_marks=(MARK,)), store.approved("Gemini1", "apiKey") is None

    assert await store.update(decide)
    assert await store.update_now(decide)
    assert store.update_soon(decide)
    assert store.snapshot().marks.keys() == {KEY}


async def test_what_a_lease_led_to_is_written_together_with_it(window: Opener) -> None:
    here, there = window("w1"), window("w2")
    lease = ProbeLease(KEY, "w1/1", NOW + 90, 1)
    await here.update_now(lambda _: (Change(put_leases=(lease,)), None))
    assert here.snapshot().leases == {KEY: lease}
    here.update_soon(lambda _: (Change(put_marks=(MARK,), drop_leases=(KEY,)), None))
    await here.save()
    await next_look()
    assert there.snapshot().marks.keys() == {KEY}
    assert not there.snapshot().leases
    assert here.snapshot().revision == there.snapshot().revision


async def test_an_update_that_cannot_wait_takes_its_turn_behind_who_is_writing(window: Opener) -> None:
    store = window()
    begun, may_end = threading.Event(), threading.Event()

    def slow(snapshot: Snapshot) -> tuple[Change, None]:
        begun.set()
        may_end.wait(10)
        return Change(put_marks=(MARK,)), None

    writing = asyncio.ensure_future(store.update(slow))
    await asyncio.to_thread(begun.wait, 10)
    behind = asyncio.ensure_future(store.update_now(lambda snapshot: (Change(), set(snapshot.marks))))
    await asyncio.sleep(0)
    assert not behind.done()
    may_end.set()
    await writing
    assert await behind == {KEY}


@pytest.mark.parametrize("way", ["advisory lock", "database"])
async def test_an_update_that_cannot_wait_never_holds_up_the_loop_for_another_process(
    window: Opener, tmp_path: Path, way: str
) -> None:
    store = window()
    path = tmp_path / "state" / "state.sqlite3"
    with contextlib.ExitStack() as held:
        if way == "database":
            other = sqlite3.connect(path, isolation_level=None)
            held.callback(other.close)
            other.execute("BEGIN EXCLUSIVE")
        else:
            held.enter_context(machine.file_lock(path.with_name(path.name + ".lock"), 0.0))
        changing = asyncio.ensure_future(store.update_now(put(MARK)))
        await asyncio.sleep(0)
        assert not changing.done()
        assert not store.problems
    await changing
    assert store.snapshot().marks.keys() == {KEY}
    assert not store.problems


async def test_a_change_made_soon_is_seen_here_at_once_and_elsewhere_once_saved(window: Opener) -> None:
    one, other = window("one"), window("other")
    assert one.update_soon(put(MARK))
    assert KEY in one.snapshot().marks
    assert not other.snapshot().marks
    await one.save()
    await next_look()
    assert KEY in other.snapshot().marks
    assert not one.update_soon(lambda _: (Change(), None))


async def test_a_change_made_soon_is_written_without_being_waited_for(window: Opener) -> None:
    one, other = window("one"), window("other")
    one.update_soon(put(MARK))
    async with asyncio.timeout(10):
        while KEY not in other.snapshot().marks:
            await asyncio.sleep(0.01)


async def test_no_change_made_soon_is_lost_to_a_transaction_under_way(window: Opener) -> None:
    store = window("one")
    keys = [MarkKey(Scope.PROFILE, f"p{n}") for n in range(50)]
    for key in keys:
        under_way = asyncio.ensure_future(store.update(lambda _: (Change(), None)))
        await asyncio.sleep(0)
        store.update_soon(put(replace(MARK, key=key)))
        await under_way
    await store.save()
    await store.close()
    assert set(keys) <= window("two").snapshot().marks.keys()


async def test_a_change_made_soon_does_not_undo_what_another_window_did_meanwhile(window: Opener) -> None:
    one, other = window("one"), window("other")
    await one.update(put(MARK))
    await next_look()
    assert KEY in other.snapshot().marks
    one.update_soon(lambda _: (Change(drop_marks=(KEY,)), None))
    longer = replace(MARK, until=(MARK.until or NOW) + 60)
    await other.update(put(longer))
    await one.save()
    await next_look()
    assert other.snapshot().marks[KEY].until == longer.until


async def test_poll_tells_watchers_of_changes_and_only_of_changes(window: Opener) -> None:
    one, other = window("one"), window("other")
    told: list[int] = []
    other.watch(lambda: told.append(1))
    other.poll()
    assert not other.poll()
    await one.update(put(MARK))
    assert other.poll()
    assert not other.poll()
    assert told == [1]


async def test_an_empty_change_writes_nothing(window: Opener, tmp_path: Path) -> None:
    store = window()
    before = (tmp_path / "state" / "state.sqlite3").read_bytes()
    assert await store.update(lambda snapshot: (Change(), "value")) == "value"
    assert (tmp_path / "state" / "state.sqlite3").read_bytes() == before


async def test_an_error_of_the_decision_reaches_the_caller_and_changes_nothing(window: Opener) -> None:
    store = window()

    def fail(_: Snapshot) -> tuple[Change, None]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.update(fail)
    assert store.snapshot().revision == 0
    await store.update(put(MARK))


async def test_a_selection_is_visible_here_at_once_and_elsewhere_after_the_batch(window: Opener) -> None:
    one, other = window("one"), window("other")
    one.note_selected("Gemini1", NOW)
    one.note_working("default", "Gemini1")
    assert one.snapshot().last_selected == {"Gemini1": NOW}
    assert one.snapshot().last_working == {"default": "Gemini1"}
    await one.attempts()  # a question writes what is pending first
    await next_look()
    assert other.snapshot().last_selected == {"Gemini1": NOW}
    assert other.snapshot().last_working == {"default": "Gemini1"}
    assert one.snapshot().revision == other.snapshot().revision == 0


async def test_an_older_selection_never_replaces_a_newer_one(window: Opener) -> None:
    one, other = window("one"), window("other")
    one.note_selected("Gemini1", NOW)
    other.note_selected("Gemini1", NOW - 5)
    await one.attempts()
    await other.attempts()
    await next_look()
    assert one.snapshot().last_selected == other.snapshot().last_selected == {"Gemini1": NOW}


async def test_a_batch_is_written_by_itself(window: Opener) -> None:
    one, other = window("one"), window("other")
    one.note_selected("Gemini1", NOW)
    async with asyncio.timeout(10):
        while "Gemini1" not in other.snapshot().last_selected:
            await asyncio.sleep(0.05)


async def test_a_dead_owners_lease_is_no_lease(window: Opener) -> None:
    one, other = window("dead"), window("other")
    await one.update(lambda _: (Change(put_leases=(ProbeLease(KEY, "dead/7", NOW + 90, 1),)), None))
    assert KEY in one.snapshot().leases
    assert KEY not in other.snapshot().leases
    assert await other.update(lambda snapshot: (Change(), KEY in snapshot.leases)) is False


async def test_leases_of_a_window_that_closes_are_given_back(window: Opener) -> None:
    one, other = window("one"), window("other")
    await one.update(lambda _: (Change(put_leases=(ProbeLease(KEY, "one/7", NOW + 90, 1),)), None))
    await next_look()
    assert other.snapshot().leases == {KEY: ProbeLease(KEY, "one/7", NOW + 90, 1)}
    await one.close()
    await next_look()
    assert not other.snapshot().leases


async def test_when_the_clock_is_set_right_what_it_wrote_before_is_too_once_and_in_every_window(
    window: Opener, tmp_path: Path
) -> None:
    one, other = window("one"), window("other")
    late = replace(MARK, since=NOW + 28_800, until=NOW + 28_830, faults=())
    await one.update(put(late))
    one.note_selected("Gemini1", NOW + 28_800)
    one.note_selected("default", NOW - 1)
    await one.attempts()
    assert one.snapshot().marks[KEY].until == NOW + 28_830
    other.poll()
    assert await other.update(lambda known: (Change(), known.marks[KEY].until)) == NOW + 30
    await next_look()
    for store in (one, other):
        assert store.snapshot().marks[KEY].since == NOW
        assert store.snapshot().last_selected == {"Gemini1": NOW, "default": NOW - 1}
    before = (tmp_path / "state" / "state.sqlite3").read_bytes()
    one.poll()
    other.poll()
    assert await one.attempts() == await other.attempts() == []
    assert (tmp_path / "state" / "state.sqlite3").read_bytes() == before


async def test_a_window_that_opens_after_the_clock_was_set_right_shows_no_rest_from_the_future(window: Opener) -> None:
    one = window("one")
    await one.update(put(replace(MARK, since=NOW + 28_800, until=NOW + 28_830)))
    await one.close()
    assert window("other").snapshot().marks[KEY].until == NOW + 30


async def test_attempts_and_request_records_come_back(window: Opener) -> None:
    store = window()
    for n in (1, 2, 3):
        store.record_attempt(attempt(n, NOW + n))
    store.record_request("r1", NOW, {"strategy": "priority", "why": "half \ud83d", "ratio": float("nan")})
    store.record_request("r2", NOW + 1, {"strategy": "round_robin"})
    assert await store.attempts(since=NOW + 2) == [attempt(2, NOW + 2), attempt(3, NOW + 3)]
    assert await store.attempts(limit=1) == [attempt(3, NOW + 3)]
    assert await store.request("r1") == {"strategy": "priority", "why": "half ?", "ratio": None}
    assert await store.request("none") is None
    assert [r["strategy"] for r in await store.latest_requests(2)] == ["round_robin", "priority"]


async def test_close_writes_what_is_pending(window: Opener) -> None:
    store = window()
    store.record_attempt(attempt())
    await store.close()
    assert await window().attempts() == [attempt()]


async def test_old_attempts_are_forgotten(window: Opener) -> None:
    store = window()
    store.record_attempt(attempt(at=NOW - 91 * 86400))
    store.record_request("old", NOW - 8 * 86400, {})
    store.record_attempt(attempt())
    await store.close()
    again = window()
    assert await again.attempts() == [attempt()]
    assert await again.request("old") is None


LEAVING = Notice(
    NoticeKind.LEAVING,
    "https://a.example m",
    "A",
    NOW,
    Farewell("https://a.example", "m", Leaving("m", stops_at=NOW + 9)),
)
ACCOUNT = Notice(NoticeKind.ACCOUNT, "", "A", NOW, Account("org-1", "ab12", "openai/A/"))
LIMIT = Notice(
    NoticeKind.LIMIT, "m 1", "A", NOW, Limited("A", "openai", "https://a.example", "d", "m", NOW, NOW + 5, "ab12")
)


async def test_what_was_noticed_is_in_every_window_and_survives_a_restart(window: Opener) -> None:
    one, other = window("one"), window("other")
    for each in (LEAVING, ACCOUNT, LIMIT):
        one.note_notice(each)
    assert await one.notices() == [LEAVING, ACCOUNT, LIMIT]
    assert other.poll(), "another window looks at it without being asked"
    assert await other.notices() == [LEAVING, ACCOUNT, LIMIT]
    other.note_notice(replace(LEAVING, profile_id="B"))
    one.note_notice(replace(LEAVING, profile_id="B", said=None))
    await other.close()
    await one.close()
    assert await window("later").notices() == [ACCOUNT, LIMIT], "what is taken back is over for every profile"


async def test_what_is_not_noticed_again_for_a_month_is_forgotten(window: Opener, tmp_path: Path) -> None:
    store = window()
    store.note_notice(replace(LEAVING, at=NOW - NOTICE_SECONDS - 1))
    store.note_notice(ACCOUNT)
    assert await store.notices() == [ACCOUNT]
    await store.close()
    await window().close()  # the first batch of a window sweeps
    with sqlite3.connect(tmp_path / "state" / "state.sqlite3") as sql:
        assert sql.execute("SELECT count(*) FROM notices").fetchone() == (1,)


async def test_what_the_user_dismissed_is_not_forgotten(window: Opener) -> None:
    store = window()
    told = Dismissed(("A", "B"))
    dismissed = Notice(NoticeKind.DISMISSED, "A\nB", "A", NOW - 2 * NOTICE_SECONDS, told)
    store.note_notice(dismissed)
    await store.close()
    await window().close()  # the first batch of a window sweeps
    assert await window().notices() == [dismissed]


async def test_only_the_latest_of_what_was_noticed_is_kept(window: Opener, tmp_path: Path) -> None:
    store = window()
    store.note_notice(replace(LEAVING, at=NOW - 10))
    for n in range(NOTICES_KEPT + 20):
        store.note_notice(replace(LIMIT, about=f"m {n}", at=NOW + n))
    found = await store.notices()
    assert len(found) == NOTICES_KEPT + 1 and found[0].kind is NoticeKind.LEAVING and found[1].about == "m 20"
    await store.close()
    await window().close()
    with sqlite3.connect(tmp_path / "state" / "state.sqlite3") as sql:
        assert sql.execute("SELECT count(*) FROM notices").fetchone() == (NOTICES_KEPT + 1,)


async def test_a_file_from_before_notices_gets_their_table_and_a_notice_nobody_can_read_is_left_out(
    window: Opener, tmp_path: Path
) -> None:
    store = window()
    await store.update(put(MARK))
    await store.close()
    path = tmp_path / "state" / "state.sqlite3"
    with sqlite3.connect(path) as sql:
        sql.execute("DROP TABLE notices")
    store = window()
    await next_look()
    assert KEY in store.snapshot().marks
    store.note_notice(LIMIT)
    await store.close()
    with sqlite3.connect(path) as sql:
        sql.executemany(
            "INSERT INTO notices VALUES (?, ?, 'A', ?, ?)",
            [("leaving", "x", NOW, '{"news":3}'), ("account", "x", NOW, "no json"), ("of tomorrow", "x", NOW, "{}")],
        )
    assert await window().notices() == [LIMIT]


async def test_what_is_noticed_while_the_file_cannot_be_written_is_known_here(window: Opener, tmp_path: Path) -> None:
    store, path = window(), tmp_path / "state" / "state.sqlite3"
    with sqlite3.connect(path, isolation_level=None) as sql:
        sql.execute("BEGIN IMMEDIATE")
        store.note_notice(LEAVING)
        assert await store.notices() == [LEAVING]
        sql.execute("ROLLBACK")
    assert await store.notices() == [LEAVING]
    assert await window("other").notices() == [LEAVING]


async def test_approvals_bind_a_slot_to_one_origin_in_every_window(window: Opener) -> None:
    one, other = window("one"), window("other")
    assert one.approved("Gemini1", "apiKey") is None
    await one.approve("Gemini1", "apiKey", "https://a:443")
    await one.approve("Gemini1", "apiKey", "https://b:443")
    await next_look()
    assert one.approved("Gemini1", "apiKey") == other.approved("Gemini1", "apiKey") == "https://b:443"
    await other.withdraw("Gemini1")
    await next_look()
    assert one.approved("Gemini1", "apiKey") is None


@pytest.mark.parametrize("end", ["deleted", "damaged"])
async def test_approvals_outlive_their_file_in_a_window_that_knows_them(
    window: Opener, tmp_path: Path, end: str
) -> None:
    one, other = window("one"), window("other")
    path = tmp_path / "state" / "state.sqlite3"
    await one.approve("Gemini1", "apiKey", "https://a:443")
    await one.approve("Gemini2", "apiKey", "https://b:443")
    await next_look()
    assert other.approved("Gemini2", "apiKey") == "https://b:443"
    if end == "deleted":
        path.unlink()
    else:
        path.write_bytes(b"\xff" * path.stat().st_size)
    await one.approve("Gemini2", "apiKey", "https://c:443")
    await other.update(lambda _: (Change(), None))
    third = window("third")
    for store in (one, other, third):
        await next_look()
        assert store.approved("Gemini1", "apiKey") == "https://a:443"
        assert store.approved("Gemini2", "apiKey") == "https://c:443", "what was approved later stands"


async def test_intents_are_kept_until_they_are_dropped(window: Opener) -> None:
    await window("dead").put_intent("save:Gemini1", {"slots": ["apiKey"]})
    other = window()
    assert await other.intents() == {"save:Gemini1": {"slots": ["apiKey"], "owner": "dead", "ownerLives": False}}
    await other.drop_intent("save:Gemini1")
    assert await other.intents() == {}


async def test_windows_are_listed_while_they_live(window: Opener) -> None:
    one = window("one")
    window("dead")
    two = window("two")
    assert {w.identity for w in await one.windows()} == {"one", "two"}
    await two.close()
    assert {w.identity for w in await one.windows()} == {"one"}


async def test_a_fingerprint_is_the_same_in_all_windows_and_shows_nothing(window: Opener, tmp_path: Path) -> None:
    one, other = window("one"), window("other")
    elsewhere = window("one", tmp_path / "elsewhere.sqlite3")
    assert one.fingerprint("sk-1") == other.fingerprint("sk-1")
    assert one.fingerprint("sk-1") not in {one.fingerprint("sk-2"), elsewhere.fingerprint("sk-1"), "sk-1"}


async def test_the_file_is_the_users_alone(window: Opener, tmp_path: Path) -> None:
    window()
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / "state.sqlite3").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: b"not a database at all" * 300, id="foreign-bytes"),
        pytest.param(lambda data: data[:5000], id="cut-short"),
        pytest.param(lambda data: bytes(len(data)), id="zeroed"),
        pytest.param(lambda data: data[:4096] + b"\xff" * 8192 + data[12288:], id="torn-pages"),
    ],
)
async def test_a_damaged_file_is_set_aside_and_said_so(
    window: Opener, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    store = window()
    await store.update(put(MARK))
    await store.close()
    path = tmp_path / "state" / "state.sqlite3"
    path.write_bytes(damage(path.read_bytes()))
    again = window()
    assert again.problems and "damaged" in again.problems[0].message
    assert list(path.parent.glob("state.sqlite3.corrupt-*"))
    await again.update(put(MARK))
    assert KEY in window("other").snapshot().marks


async def test_a_file_that_breaks_while_open_costs_nothing_this_window_knows(window: Opener, tmp_path: Path) -> None:
    store = window()
    await store.update(put(replace(MARK, reason="known")))
    path = tmp_path / "state" / "state.sqlite3"
    size = path.stat().st_size
    path.write_bytes(b"\xff" * size)
    fingerprint = store.fingerprint("sk-1")
    other = MarkKey(Scope.PROFILE, "default")
    await store.update(put(replace(MARK, key=other)))
    assert set(store.snapshot().marks) == {KEY, other}
    await store.update(put(replace(MARK, key=other, reason="again")))
    assert store.fingerprint("sk-1") == window("third").fingerprint("sk-1") == fingerprint
    assert set(window("other").snapshot().marks) == {KEY, other}


async def test_a_file_that_another_process_replaced_is_followed(window: Opener, tmp_path: Path) -> None:
    one = window("one")
    await one.update(put(MARK))
    path = tmp_path / "state" / "state.sqlite3"
    path.rename(path.with_name("gone"))
    other = window("other")
    await one.update(put(replace(MARK, reason="new file")))
    await next_look()
    assert other.snapshot().marks[KEY].reason == "new file"


async def test_a_newer_rooroutes_file_is_left_alone(window: Opener, tmp_path: Path) -> None:
    await window().close()
    path = tmp_path / "state" / "state.sqlite3"
    sql = sqlite3.connect(path)
    sql.execute("PRAGMA user_version=99")
    sql.close()
    before = path.read_bytes()
    store = window()
    assert "newer" in store.problems[0].message
    await store.update(put(MARK))
    store.record_attempt(attempt())
    await next_look()
    assert KEY in store.snapshot().marks
    assert await store.attempts() == [attempt()]
    assert path.read_bytes() == before


async def test_a_place_that_cannot_hold_a_file_means_memory(window: Opener, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = window("one", tmp_path / "file" / "state.sqlite3")
    assert "cannot be written" in store.problems[0].message
    await store.update(put(MARK))
    store.note_selected("Gemini1", NOW)
    await next_look()
    assert KEY in store.snapshot().marks
    assert store.snapshot().last_selected == {"Gemini1": NOW}
    await store.approve("Gemini1", "apiKey", "https://a:443")
    assert store.approved("Gemini1", "apiKey") == "https://a:443"


async def test_routing_goes_on_while_a_window_hangs_with_the_lock_and_is_saved_after(
    window: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rooroute.adapters.state_store._FLUSH_SECONDS", 60)
    store, other = window("one"), window("other")
    with machine.file_lock(tmp_path / "state" / "state.sqlite3.lock", 0):
        await store.update(put(MARK))
        assert KEY in store.snapshot().marks
        assert "locked" in store.problems[0].message
        store.record_attempt(attempt())
    async with asyncio.timeout(10):
        while store.poll() or store.problems:
            await asyncio.sleep(0.02)
    await next_look()
    assert KEY in other.snapshot().marks
    assert await other.attempts() == []
    assert await store.attempts() == [attempt()]


async def test_the_last_picture_is_kept_while_the_database_is_locked(window: Opener, tmp_path: Path) -> None:
    store, other = window("one"), window("other")
    await other.update(put(MARK))
    sql = sqlite3.connect(tmp_path / "state" / "state.sqlite3", isolation_level=None)
    sql.execute("BEGIN EXCLUSIVE")
    assert store.snapshot() == Snapshot()
    sql.execute("ROLLBACK")
    sql.close()
    await next_look()
    assert KEY in store.snapshot().marks


COUNTER = textwrap.dedent("""
    import asyncio, sys
    from dataclasses import replace
    from pathlib import Path
    from rooroute.adapters import machine
    from rooroute.adapters.state_store import StateStore
    from rooroute.outcome import Fault, Scope
    from rooroute.routing.marks import Change, Mark, MarkKey, MarkState

    KEY = MarkKey(Scope.PROFILE, "counted")

    def count(snapshot):
        seen = snapshot.marks.get(KEY) or Mark(KEY, MarkState.WATCHED, Fault.TRANSIENT, 0.0)
        return Change(put_marks=(replace(seen, strike=seen.strike + 1),)), seen.strike + 1

    async def main():
        store = StateStore(Path(sys.argv[1]), machine.identity(), clock=lambda: 1.0)
        store.open()
        assert not store.problems, store.problems
        for n in range(int(sys.argv[2])):
            update = store.update_now if n % 2 and sys.argv[4] == "now" else store.update
            print(await update(count), flush=True)
        if sys.argv[3] == "linger":
            await asyncio.sleep(60)
        await store.close()

    asyncio.run(main())
    """)


def counting(path: Path, times: int, *, end: str = "close", way: str = "update") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COUNTER, str(path), str(times), end, way], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("way", ["update", "now"])
async def test_eight_processes_lose_no_update(window: Opener, tmp_path: Path, way: str) -> None:
    path = tmp_path / "state" / "state.sqlite3"
    path.parent.mkdir()
    processes = [counting(path, 25, way=way) for _ in range(8)]
    answers = [int(line) for process in processes for line in process.communicate(timeout=90)[0].split()]
    assert [process.returncode for process in processes] == [0] * 8
    assert sorted(answers) == list(range(1, 201))
    assert window().snapshot().marks[MarkKey(Scope.PROFILE, "counted")].strike == 200


async def test_what_was_acknowledged_survives_kill_9(window: Opener, tmp_path: Path) -> None:
    path = tmp_path / "state" / "state.sqlite3"
    path.parent.mkdir()
    store = window()
    for _ in range(3):
        process = counting(path, 100_000)
        assert process.stdout
        acknowledged = [int(process.stdout.readline()) for _ in range(20)]
        os.kill(process.pid, signal.SIGKILL)
        acknowledged += [int(line) for line in process.communicate()[0].split("\n")[:-1]]
        await next_look()
        assert store.snapshot().marks[MarkKey(Scope.PROFILE, "counted")].strike >= acknowledged[-1]
        assert not store.problems
        await store.update(put(MARK))
