# SPDX-License-Identifier: Apache-2.0
"""The contract of KeyValue, on every store."""

from __future__ import annotations

import threading

import pytest

from percale.datastore.keyvalue import (
    EVERYTHING,
    Compare,
    Delete,
    Deleted,
    Get,
    Put,
    Txn,
    prefix_end,
)
from percale.errors import Compacted, FutureRevision, NotFound


def absent(key):
    return Compare(key, "version", "=", 0)


def keys(answer):
    return [item.key for item in answer.items]


def drain(watch, least=1):
    """Return the events that a watch has: it is given time for that many, and a moment for what should not come."""
    events = []
    while (batch := watch.poll(30 if len(events) < least else 0.2)) is not None:
        events += batch.events
    return events


def drain_until_compacted(watch):
    """Return the events that a watch has right now, and the border that it was told of (0: none)."""
    try:
        return drain(watch, 2), 0
    except Compacted as error:
        return [], error.revision


def told(events):
    return [(event.item.key, None if event.deleted else event.item.value) for event in events]


class TestRange:
    def test_nothing(self, kv):
        """An empty range is an answer."""
        assert kv.range("/", EVERYTHING) == (kv.revision, (), False)

    def test_item_carries_its_revisions_and_version(self, kv):
        """The first write sets the create revision, each write the mod revision and the version."""
        first, second = kv.put("/a", b"1"), kv.put("/a", b"2")
        item = kv.get("/a")
        assert (item.value, item.create_revision, item.mod_revision, item.version) == (b"2", first, second, 2)
        assert second == first + 1

    def test_recreated_key_begins_again(self, kv):
        """After a delete a key has version 1 and a new create revision."""
        kv.put("/a", b"1")
        kv.delete("/a")
        revision = kv.put("/a", b"2")
        assert kv.get("/a")[2:5] == (revision, revision, 1)

    def test_range_is_half_open_and_sorted(self, kv):
        """The start belongs to a range, the end does not; keys come in the order of their bytes."""
        for key in ("/b", "/a/2", "/a/10", "/a", "/ä", "/A"):
            kv.put(key, b"")
        assert keys(kv.range("/a", "/b")) == ["/a", "/a/10", "/a/2"]
        assert keys(kv.range("/A", EVERYTHING)) == ["/A", "/a", "/a/10", "/a/2", "/b", "/ä"]
        assert keys(kv.range("/b", "/a")) == []

    @pytest.mark.parametrize("prefix", ["/a/", "/ü", "/\U0010ffff", "/\ud7ff"])
    def test_prefix_end_takes_all_and_only_the_prefix(self, kv, prefix):
        """A range up to ``prefix_end`` holds the keys that begin with the prefix."""
        inside = [prefix, prefix + "\0", prefix + "zz", prefix + "\U0010ffff"]
        for key in [*inside, prefix[:-1] + " ", "/\U00010000" if prefix != "/\U0010ffff" else "0", "0"]:
            kv.put(key, b"")
        assert keys(kv.range(prefix, prefix_end(prefix))) == inside

    def test_limit_says_whether_more_follow(self, kv):
        """A limit cuts the answer; ``more`` is set only if something was cut."""
        for key in ("/a", "/b", "/c"):
            kv.put(key, b"")
        assert (keys(cut := kv.range("/", EVERYTHING, limit=2)), cut.more) == (["/a", "/b"], True)
        assert (keys(whole := kv.range("/", EVERYTHING, limit=3)), whole.more) == (["/a", "/b", "/c"], False)

    def test_keys_only_leaves_values_out(self, kv):
        """With ``keys_only`` the values are empty and the revisions are there."""
        revision = kv.put("/a", b"long")
        (item,) = kv.range("/", EVERYTHING, keys_only=True).items
        assert (item.value, item.mod_revision) == (b"", revision)

    def test_older_revision(self, kv):
        """A range at a revision shows changed, deleted and later keys as they were; its own revision is the newest."""
        for key in ("/changed", "/deleted", "/kept"):
            kv.put(key, b"old")
        then = kv.revision
        kv.put("/changed", b"new")
        kv.put("/changed", b"newer")
        kv.delete("/deleted")
        kv.put("/later", b"")
        answer = kv.range("/", EVERYTHING, revision=then)
        assert [(i.key, i.value) for i in answer.items] == [
            ("/changed", b"old"),
            ("/deleted", b"old"),
            ("/kept", b"old"),
        ]
        assert answer.revision == kv.revision == then + 4
        assert kv.get("/changed", revision=then + 1).value == b"new"
        assert kv.get("/deleted", revision=then).value == b"old"
        assert kv.get("/deleted", revision=then + 3) is None
        assert kv.get("/later", revision=then) is None

    def test_older_revision_with_limit(self, kv):
        """A limit counts what was there at the revision, not what is there now."""
        for key in ("/a", "/b", "/c"):
            kv.put(key, b"")
        then = kv.revision
        kv.delete("/a")
        answer = kv.range("/", EVERYTHING, revision=then, limit=2)
        assert (keys(answer), answer.more) == (["/a", "/b"], True)

    def test_future_revision_is_refused(self, kv):
        """The newest revision can be read, the one after it can't."""
        kv.put("/a", b"")
        assert kv.range("/a", revision=kv.revision).items
        with pytest.raises(FutureRevision):
            kv.range("/a", revision=kv.revision + 1)


class TestPages:
    @pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6, 100])
    def test_all_in_parts(self, kv, limit):
        """The parts together are the range, none is larger than the limit, and only the last says that it is."""
        for number in range(5):
            kv.put(f"/{number}", b"")
        kv.put("0", b"")
        parts = list(kv.pages("/", "0", limit=limit))
        assert [item for part in parts for item in part.items] == list(kv.range("/", "0").items)
        assert all(1 <= len(part.items) <= limit for part in parts)
        assert [part.more for part in parts] == [True] * (len(parts) - 1) + [False]

    def test_nothing_is_one_part(self, kv):
        """An empty range is an answer."""
        assert list(kv.pages("/", EVERYTHING)) == [(kv.revision, (), False)]

    def test_one_moment(self, kv):
        """What is written while the parts are read does not show in them."""
        for number in range(9):
            kv.put(f"/{number}", b"old")
        found = []
        for part in kv.pages("/", EVERYTHING, limit=3):
            found += [item.value for item in part.items]
            for number in range(9):
                kv.put(f"/{number}", b"new")
            kv.delete("/8")
        assert found == [b"old"] * 9

    def test_older_revision(self, kv):
        """Parts can be those of an older revision."""
        kv.put("/a", b"")
        then = kv.put("/b", b"")
        kv.delete("/", EVERYTHING)
        assert [keys(part) for part in kv.pages("/", EVERYTHING, revision=then, limit=1)] == [["/a"], ["/b"]]

    def test_compacted_between_parts(self, kv):
        """A reader whose moment is forgotten meanwhile is told so, not given a mixture."""
        for number in range(30):
            kv.put(f"/{number:02}", b"")
        parts = kv.pages("/", EVERYTHING, limit=4)
        next(parts)
        kv.put("/00", b"")
        kv.compact(kv.revision)
        with pytest.raises(Compacted):
            list(parts)

    def test_left_early(self, kv):
        """Who has seen enough leaves the rest."""
        for number in range(9):
            kv.put(f"/{number}", b"")
        assert keys(next(iter(kv.pages("/", EVERYTHING, limit=4))))[0] == "/0"
        kv.put("/x", b"")
        assert kv.get("/x") is not None

    def test_future_revision_is_refused(self, kv):
        """A revision that is not reached has no parts."""
        with pytest.raises(FutureRevision):
            list(kv.pages("/", EVERYTHING, revision=kv.revision + 1))


class TestTransaction:
    def test_create_if_absent(self, kv):
        """Of two creates the second takes the other branch and changes nothing."""
        first = kv.txn([absent("/a")], [Put("/a", b"1")], [Get("/a")])
        second = kv.txn([absent("/a")], [Put("/a", b"2")], [Get("/a")])
        assert (first.succeeded, first.responses) == (True, (None,))
        assert (second.succeeded, second.revision) == (False, first.revision)
        assert second.responses[0].items == (kv.get("/a"),)
        assert kv.get("/a").value == b"1"

    @pytest.mark.parametrize("target", ["version", "create_revision", "mod_revision"])
    @pytest.mark.parametrize(
        ("operator", "offset", "holds"),
        [
            ("=", 0, True), ("=", 1, False), ("!=", 1, True), ("!=", 0, False),
            ("<", 1, True), ("<", 0, False), (">", -1, True), (">", 0, False),
        ],
    )  # fmt: skip
    def test_numbers_compare(self, kv, target, operator, offset, holds):
        """Each number of an item compares on both sides of each border."""
        kv.put("/a", b"")
        kv.put("/a", b"")
        actual = getattr(kv.get("/a"), target)
        assert kv.txn([Compare("/a", target, operator, actual + offset)]).succeeded is holds

    @pytest.mark.parametrize(
        ("operator", "value", "holds"),
        [
            ("=", b"m", True),
            ("=", b"l", False),
            ("!=", b"l", True),
            ("<", b"n", True),
            ("<", b"m", False),
            (">", b"l", True),
        ],
    )
    def test_values_compare(self, kv, operator, value, holds):
        """Values compare as bytes."""
        kv.put("/a", b"m")
        assert kv.txn([Compare("/a", "value", operator, value)]).succeeded is holds

    @pytest.mark.parametrize("operator", ["=", "!=", "<", ">"])
    def test_absent_key_equals_no_value(self, kv, operator):
        """A comparison with the value of an absent key never holds."""
        assert not kv.txn([Compare("/a", "value", operator, b"")]).succeeded

    def test_all_compares_must_hold(self, kv):
        """One false condition is enough for the other branch."""
        kv.put("/a", b"")
        assert not kv.txn([absent("/b"), absent("/a")]).succeeded
        assert kv.txn([absent("/b"), absent("/c")]).succeeded

    def test_one_transaction_is_one_revision(self, kv):
        """All writes of a transaction share a revision; one that only reads, or deletes nothing, makes none."""
        before = kv.revision
        assert kv.txn((), [Put("/a", b""), Put("/b", b""), Delete("/c")]).revision == before + 1
        assert {item.mod_revision for item in kv.range("/", EVERYTHING).items} == {before + 1}
        assert kv.txn((), [Get("/a"), Delete("/c")]).revision == before + 1

    def test_reads_see_earlier_writes_of_the_same_transaction(self, kv):
        """A Get sees what was put and deleted before it in its own transaction."""
        kv.put("/a", b"old")
        result = kv.txn((), [Put("/b", b"new"), Delete("/a"), Get("/", EVERYTHING)])
        assert [(i.key, i.value) for i in result.responses[2].items] == [("/b", b"new")]
        assert isinstance(result.responses[1], Deleted)
        assert [i.value for i in result.responses[1].items] == [b"old"]

    def test_delete_of_a_range(self, kv):
        """A ranged delete takes the range and returns it as it was."""
        for key in ("/a/1", "/a/2", "/b"):
            kv.put(key, key.encode())
        assert [item.key for item in kv.delete("/a/", "/a0")] == ["/a/1", "/a/2"]
        assert keys(kv.range("/", EVERYTHING)) == ["/b"]
        assert kv.delete("/a/", "/a0") == ()

    def test_nested_transactions_have_their_own_outcome(self, kv):
        """Each nested create succeeds or not by itself, all in one revision."""
        kv.put("/b", b"there")
        creates = [Txn((absent(key),), (Put(key, b"new"),), (Get(key),)) for key in ("/a", "/b", "/c")]
        result = kv.txn((), creates)
        assert [nested.succeeded for nested in result.responses] == [True, False, True]
        assert result.responses[1].responses[0].items[0].value == b"there"
        assert kv.get("/a").mod_revision == kv.get("/c").mod_revision == result.revision

    def test_nested_conditions_are_judged_before_any_write(self, kv):
        """A nested condition does not see what its own transaction writes."""
        result = kv.txn((), [Put("/a", b""), Txn((absent("/a"),), (Put("/b", b""),))])
        assert result.responses[1].succeeded
        assert kv.get("/b") is not None

    @pytest.mark.parametrize(
        "operations",
        [
            [Put("/a", b"1"), Put("/a", b"2")],
            [Put("/a", b"1"), Delete("/a")],
            [Delete("/", "0"), Put("/a", b"1")],
            [Put("/a", b"1"), Txn((), (Put("/a", b"2"),))],
            [Txn((), (Put("/a", b"1"),)), Txn((), (), (Put("/a", b"2"),))],
            [Put("", b"1")],
        ],
    )
    def test_ambiguous_transactions_are_refused(self, kv, operations):
        """Nothing is written when a transaction writes a key twice or names none."""
        before = kv.revision
        with pytest.raises(ValueError):
            kv.txn((), operations)
        assert kv.revision == before

    def test_both_branches_may_write_the_same_key(self, kv):
        """The branches of a transaction exclude each other, so they may write the same key."""
        nested = Txn((absent("/a"),), (Put("/a", b"1"),), (Put("/a", b"2"),))
        assert kv.txn((), [nested]).responses[0].succeeded
        assert not kv.txn((), [nested]).responses[0].succeeded
        assert kv.get("/a").value == b"2"

    def test_size_limit(self, kv):
        """As many operations as allowed pass, one more is refused, and a nested level counts against the same limit."""
        most = kv.max_operations
        kv.txn((), [Get("/a")] * most)
        with pytest.raises(ValueError):
            kv.txn((), [Get("/a")] * (most + 1))
        kv.txn((), [Txn((), (Get("/a"),) * (most - 1))])
        with pytest.raises(ValueError):
            kv.txn((), [Txn((), (Get("/a"),) * most)])

    def test_concurrent_increments_lose_nothing(self, kv):
        """Compare-and-swap loops of several threads count every step."""
        kv.put("/n", b"0")

        def count():
            done = 0
            while done < 25:
                item = kv.get("/n")
                swap = Put("/n", b"%d" % (int(item.value) + 1))
                done += kv.txn([Compare("/n", "mod_revision", "=", item.mod_revision)], [swap]).succeeded

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert kv.get("/n").value == b"100"


class TestWatch:
    def test_only_what_follows(self, kv):
        """Without a start revision a watch reports what happens after it was made."""
        kv.put("/a", b"before")
        with kv.watch("/", EVERYTHING) as watch:
            kv.put("/a", b"after")
            assert told(drain(watch)) == [("/a", b"after")]

    def test_history_from_a_revision(self, kv):
        """With a start revision every event since then comes, once and in order."""
        start = kv.put("/a", b"1")
        kv.put("/b", b"2")
        kv.delete("/a")
        kv.put("/a", b"3")
        with kv.watch("/", EVERYTHING, start_revision=start) as watch:
            events = drain(watch, 4)
            assert told(events) == [("/a", b"1"), ("/b", b"2"), ("/a", None), ("/a", b"3")]
            assert [event.item.mod_revision for event in events] == list(range(start, start + 4))
            assert [event.created for event in events] == [True, True, False, True]
            assert drain(watch, 0) == []

    def test_range_filters(self, kv):
        """Only the range is watched; a single key is a range of one."""
        with kv.watch("/a/", "/a0") as many, kv.watch("/b") as one:
            for key in ("/a/1", "/b", "/b/1", "/c"):
                kv.put(key, b"")
            assert told(drain(many)) == [("/a/1", b"")]
            assert told(drain(one)) == [("/b", b"")]

    def test_nothing_to_watch(self, kv):
        """A range that can hold no key is refused; one that can hold one is not."""
        with pytest.raises(ValueError):
            kv.watch("/a", "/a")
        kv.watch("/a", "/a\0").close()

    def test_previous_on_request(self, kv):
        """With ``previous`` an event brings what it replaced, and only then."""
        start = kv.put("/a", b"1")
        kv.put("/a", b"2")
        kv.delete("/a")
        kv.put("/a", b"3")
        with kv.watch("/a", start_revision=start, previous=True) as watch:
            before = [event.previous.value if event.previous else None for event in drain(watch, 4)]
        assert before == [None, b"1", b"2", None]
        with kv.watch("/a", start_revision=start) as watch:
            assert {event.previous for event in drain(watch, 4)} == {None}

    def test_transactions_are_not_split(self, kv):
        """All events of one revision come in one batch, also when they are many."""
        with kv.watch("/", EVERYTHING) as watch:
            for start in range(0, 3000, 100):
                kv.txn((), [Put(f"/{n:05}", b"") for n in range(start, start + 100)])
            seen = []
            while len(seen) < 3000:
                batch = watch.poll(30)
                revisions = [event.item.mod_revision for event in batch.events]
                assert not seen or not revisions or revisions[0] > seen[-1]
                assert all(revision <= batch.revision for revision in revisions)
                seen += revisions
        assert len(seen) == 3000
        assert seen == sorted(seen)

    def test_future_start(self, kv):
        """A watch may start at a revision that is not reached yet, and then says nothing before it."""
        with kv.watch("/", EVERYTHING, start_revision=kv.revision + 2) as watch:
            kv.put("/a", b"1")
            kv.put("/a", b"2")
            assert told(drain(watch)) == [("/a", b"2")]

    def test_waiting_watch_is_woken(self, kv):
        """A poll without a time limit returns when another thread writes."""
        with kv.watch("/", EVERYTHING) as watch:
            writer = threading.Timer(0.1, kv.put, ("/a", b"1"))
            writer.start()
            batch = watch.poll(30)
            writer.join()
        assert told(batch.events) == [("/a", b"1")]

    def test_close_ends_the_iteration(self, kv):
        """Closing from another thread ends a loop over the watch without an error."""
        watch = kv.watch("/", EVERYTHING)
        closer = threading.Timer(0.1, watch.close)
        closer.start()
        assert list(watch) == []
        closer.join()
        assert watch.closed
        assert watch.poll(0) is None

    def test_closing_the_store_ends_its_watches(self, kv):
        """A watch that waits when its store is closed ends too."""
        watch = kv.watch("/", EVERYTHING)
        closer = threading.Timer(0.1, kv.close)
        closer.start()
        assert list(watch) == []
        closer.join()


class TestCompaction:
    def test_compaction_keeps_the_state_at_its_revision(self, kv):
        """At the compacted revision everything can be read, before it nothing."""
        kv.put("/a", b"1")
        kv.put("/gone", b"")
        kv.delete("/gone")
        kv.put("/a", b"2")
        border = kv.revision
        kv.put("/a", b"3")
        kv.compact(border)
        assert [(i.key, i.value) for i in kv.range("/", EVERYTHING, revision=border).items] == [("/a", b"2")]
        assert kv.get("/a").value == b"3"
        assert kv.get("/a").version == 3
        with pytest.raises(Compacted) as error:
            kv.range("/a", revision=border - 1)
        assert error.value.revision in (border, border - 1)

    def test_watch_from_compacted_history_is_told(self, kv):
        """A watch that would have to deliver lost events raises Compacted; one from after the border on does not."""
        start = kv.put("/a", b"1")
        for value in (b"2", b"3", b"4"):
            kv.put("/a", value)
        kv.compact(start + 2)
        with kv.watch("/a", start_revision=start + 3) as watch:
            assert told(drain(watch)) == [("/a", b"4")]
        with kv.watch("/a", start_revision=start + 1) as watch, pytest.raises(Compacted) as error:
            watch.poll(5)
        assert error.value.revision == start + 2

    @pytest.mark.parametrize("timeout_s", [0, 5, None])
    def test_compacted_is_the_last_word(self, kv, timeout_s):
        """A watch that was told Compacted is told the same at each further poll, however long that would wait."""
        start = kv.put("/a", b"1")
        border = kv.put("/a", b"2")
        kv.compact(border)
        with kv.watch("/a", start_revision=start) as watch:
            with pytest.raises(Compacted):
                watch.poll(30)
            kv.put("/a", b"3")
            for _ in range(3):
                with pytest.raises(Compacted) as error:
                    watch.poll(timeout_s)
                assert error.value.revision == border
            watch.close()
            assert watch.poll(timeout_s) is None

    def test_compacted_is_told_to_all(self, kv):
        """Two threads that wait for a watch are both told Compacted."""
        start = kv.put("/a", b"1")
        kv.compact(kv.put("/a", b"2"))
        heard = []

        def wait():
            try:
                watch.poll()
            except Compacted as error:
                heard.append(error.revision)

        with kv.watch("/a", start_revision=start) as watch:
            threads = [threading.Thread(target=wait) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
        assert heard == [start + 1] * 2

    def test_delete_at_the_border_is_never_swallowed(self, kv):
        """A watch from the compacted revision on gets the delete that happened there, or is told Compacted."""
        kv.put("/a", b"1")
        kv.delete("/a")
        border = kv.revision
        kv.put("/b", b"")
        kv.compact(border)
        with kv.watch("/", EVERYTHING, start_revision=border) as watch:
            events, compacted = drain_until_compacted(watch)
        assert (told(events), compacted) in (([("/a", None), ("/b", b"")], 0), ([], border))
        assert kv.range("/", EVERYTHING, revision=border).items == ()

    def test_watch_from_after_the_border(self, kv):
        """A watch from the revision after the compacted one on is complete, a delete in that revision included."""
        for key in ("/a", "/b"):
            kv.put(key, b"1")
        kv.delete("/a")
        border = kv.revision
        kv.delete("/b")
        kv.put("/c", b"")
        kv.compact(border)
        with kv.watch("/", EVERYTHING, start_revision=border + 1) as watch:
            assert told(drain(watch, 2)) == [("/b", None), ("/c", b"")]

    def test_list_at_the_border_and_watch_on(self, kv):
        """Whoever lists and watches from the next revision on misses nothing, even if the past is compacted at once."""
        kv.put("/a", b"1")
        listed = kv.range("/", EVERYTHING)
        kv.compact(listed.revision)
        with kv.watch("/", EVERYTHING, start_revision=listed.revision + 1) as watch:
            kv.delete("/a")
            assert told(drain(watch)) == [("/a", None)]

    def test_compaction_only_goes_forward(self, kv):
        """Compacting again before the border or after the newest revision is refused."""
        border = kv.put("/a", b"")
        kv.put("/a", b"")
        kv.compact(border)
        with pytest.raises(Compacted):
            kv.compact(border)
        with pytest.raises(FutureRevision):
            kv.compact(kv.revision + 1)

    def test_everything_deleted_and_compacted(self, kv):
        """The revision stays when every key and its history are gone."""
        kv.put("/a", b"")
        kv.delete("/a")
        revision = kv.revision
        kv.compact(revision)
        assert kv.revision == revision
        assert kv.put("/a", b"") == revision + 1
        assert kv.get("/a").version == 1


class TestLease:
    def test_revoke_deletes_its_keys_in_one_revision(self, kv):
        """Ending a lease deletes what is attached to it now, and nothing else."""
        lease = kv.lease_grant(60)
        kv.put("/a", b"", lease=lease)
        kv.put("/b", b"", lease=lease)
        kv.put("/c", b"", lease=lease)
        kv.put("/c", b"detached")
        kv.put("/d", b"")
        assert kv.get("/a").lease == lease
        assert kv.get("/c").lease == 0
        before = kv.revision
        kv.lease_revoke(lease)
        assert keys(kv.range("/", EVERYTHING)) == ["/c", "/d"]
        assert kv.revision == before + 1

    def test_keepalive_returns_the_time(self, kv):
        """A renewed lease tells how long it lasts."""
        assert kv.lease_keepalive(kv.lease_grant(60)) == 60

    def test_unknown_lease(self, kv):
        """An unknown lease can't be used, renewed or ended; the transaction that names it changes nothing."""
        before = kv.revision
        with pytest.raises(NotFound):
            kv.txn((), [Put("/a", b""), Put("/b", b"", 4711)])
        with pytest.raises(NotFound):
            kv.lease_keepalive(4711)
        with pytest.raises(NotFound):
            kv.lease_revoke(4711)
        assert kv.revision == before

    def test_statistics(self, kv):
        """The numbers of the store can be asked for."""
        kv.put("/a", b"")
        with kv.watch("/a"):
            statistics = kv.statistics()
        assert statistics.revision == kv.revision
        assert statistics.watches == 1
        assert statistics.size_bytes > 0
