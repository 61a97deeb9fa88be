"""What viewers of a running study are told: progress, then what has changed, and each of them the same."""

import asyncio
import copy
import json

import pytest
from serving.folders import Folder
from serving.test_changes import apply
from verdict.factory import SEVEN, synthetic_study

from steepest.report import html
from steepest.serving import feed as feeds
from steepest.serving.feed import Feed
from steepest.serving.follower import Follower
from steepest.serving.snapshot import StudyFolder


@pytest.fixture
def quick(monkeypatch):
    """No rest between two readings, and quick looks at the folder."""
    monkeypatch.setattr(feeds, "TICK_SECONDS", 0.02)
    monkeypatch.setattr(feeds, "REST_RATIO", 0.0)
    monkeypatch.setattr(feeds, "MIN_REST_SECONDS", 0.0)
    monkeypatch.setattr(feeds, "PROGRESS_REST_RATIO", 0.0)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "study", *synthetic_study(SEVEN[:2], seeds=3, evaluations=6))


def parsed(frame):
    """A server-sent event as (kind, data)."""
    fields = dict(line.split(": ", 1) for line in frame.decode().strip().split("\n") if ": " in line)
    return fields.get("event"), json.loads(fields.get("data", "null"))


async def until(events, kind, most=200):
    for _ in range(most):
        found, data = parsed(await asyncio.wait_for(anext(events), 120))
        if found == kind:
            return data
    raise AssertionError(f"no {kind}")


def test_a_page_that_applies_the_updates_holds_what_a_new_page_would_hold(folder, quick):
    async def follow():
        folder.grow(2)
        feed = Feed(folder.path)
        first = await feed.snapshot()
        mine = json.loads(json.dumps(first.data))
        events = feed.events(first.version)
        state = await until(events, "progress")
        assert state["state"] == "running"
        assert 0 < state["trials"] < state["planned"]
        assert state["left"] > 0
        folder.grow(1)
        folder.finish()
        version, sizes = first.version, []
        while len(mine["trials"][0]) < len(folder.traces) or not mine["view"]["study"]["finished"]:
            update = await until(events, "update")
            assert update["version"] == version + 1
            version = update["version"]
            sizes.append(len(json.dumps(update["changes"])))
            for change in update["changes"]:
                apply(mine, change)
        whole = StudyFolder(folder.path).snapshot(1)
        assert mine == json.loads(json.dumps(whole.data))
        assert max(sizes) < len(json.dumps(whole.data)), "changes, not everything again"
        assert b'"state":"finished"' in feed._progress[1]
        await events.aclose()

    asyncio.run(follow())


def test_old_curves_are_not_sent_again(folder):
    folder.grow(2)
    before = StudyFolder(folder.path).snapshot(1)
    folder.grow(1)
    after = StudyFolder(folder.path).snapshot(2)
    told = feeds._difference(before, after)
    old = [block["curves"]["train_loss"]["codes"] for block in before.trials[0].values()]
    new = [b["curves"]["train_loss"]["codes"] for key, b in after.trials[0].items() if key not in before.trials[0]]
    text = json.dumps(told)
    assert len(new) == 1
    assert new[0] in text
    assert not [codes for codes in old if codes in text]
    assert set(told["sections"]) <= set(html.sections(after.view))
    assert feeds._difference(after, copy.copy(after)) is None


def test_twenty_viewers_share_one_reader(folder, quick, monkeypatch):
    async def crowd():
        folder.grow(2)
        feed = Feed(folder.path)
        reads = []
        snapshot = feed._study.snapshot
        monkeypatch.setattr(feed._study, "snapshot", lambda version: reads.append(version) or snapshot(version))
        first = await feed.snapshot()
        viewers = [feed.events(first.version) for _ in range(20)]
        await asyncio.gather(*(until(viewer, "progress") for viewer in viewers))
        folder.grow(1)
        told = await asyncio.gather(*(until(viewer, "update") for viewer in viewers))
        assert all(update == told[0] for update in told)
        assert len(reads) <= 3, "not one reading a viewer"
        for viewer in viewers:
            await viewer.aclose()
        await asyncio.wait_for(feed._watcher, 120)  # nobody looks, nobody reads

    asyncio.run(crowd())


def test_a_viewer_who_was_away_too_long_must_reload_the_page(folder, quick):
    async def late():
        folder.grow(2)
        feed = Feed(folder.path)
        await feed.snapshot()
        assert await until(feed.events(77), "reload") == {}

    asyncio.run(late())


def test_the_reader_rests_longer_than_it_works(folder, monkeypatch):
    monkeypatch.setattr(feeds, "MIN_REST_SECONDS", 3600.0)

    async def ask():
        folder.grow(2)
        feed = Feed(folder.path)
        first = await feed.snapshot()
        folder.grow(1)
        assert await feed.snapshot() is first, "it has only just looked"
        feed._read_at -= 1 + feeds.REST_RATIO * feed._cost + feeds.MIN_REST_SECONDS
        assert (await feed.snapshot()).version == first.version + 1

    asyncio.run(ask())


def test_a_folder_that_goes_away_ends_nothing(folder, quick, tmp_path):
    async def vanish():
        folder.grow(2)
        feed = Feed(folder.path)
        first = await feed.snapshot()
        events = feed.events(first.version)
        await until(events, "progress")
        folder.path.rename(tmp_path / "elsewhere")
        await asyncio.sleep(0.1)
        (tmp_path / "elsewhere").rename(folder.path)
        folder.grow(1)
        assert (await until(events, "update"))["version"] == first.version + 1
        await events.aclose()

    asyncio.run(vanish())


def test_a_follower_counts_at_every_look_and_judges_when_it_has_rested(folder, monkeypatch):
    folder.grow(2)
    follow = Follower(folder.path)
    first = follow()
    judged = []
    snapshot = follow._study.snapshot
    monkeypatch.setattr(follow._study, "snapshot", lambda version: judged.append(version) or snapshot(version))
    assert follow() is first
    folder.grow(1)
    second = follow()
    assert second["study"]["trials"] > first["study"]["trials"]
    assert second["tasks"] is first["tasks"]
    assert judged == []
    folder.finish()
    assert follow()["study"]["finished"]
    assert len(judged) == 1
