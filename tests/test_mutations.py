"""Each promise has a test that can fail: a fault put into a copy of the code must be found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ring import vectors

ROOT = Path(__file__).parent.parent
RING = "tests/ring"


@dataclass(frozen=True)
class Mutation:
    """A fault: in `file`, `right` becomes `wrong`; `finders` are the tests that must notice."""

    promise: str
    file: str
    right: str
    wrong: str
    finders: str


VECTORS = f"{RING}/test_vectors.py"
PROPERTIES = f"{RING}/test_ring.py"
FILES = f"{RING}/test_files.py"
NODES = "tests/test_node.py"
CACHE = "tests/cache"
COUNTERS = f"{CACHE}/test_counters.py"
ONE_KEY = f"{CACHE}/test_one_key.py"
LIFE = f"{CACHE}/test_life.py"
OVERSIZE = f"{CACHE}/test_oversize.py"
TTLS = f"{CACHE}/test_ttl.py"
FLOWS = "tests/versions/test_flows.py"
MODEL = "tests/versions/test_model_check.py::test_every_interleaving_answers_as_a_register_does"
VERSION_KEYS = "tests/versions/test_keys.py"
FAULTS = "tests/faults"
HELD_UP = f"{FAULTS}/test_held_up.py"
FULL = f"{FAULTS}/test_full.py::test_it_is_asked_again_at_once"
FILLS = "tests/fills"
ARGUMENTS = "tests/memoize/test_arguments.py"
FUNCTIONS = "tests/memoize/test_functions.py"
TRUST = f"{CACHE}/test_trust.py"
_HANDLER = "test_whatever_a_handler_raises_comes_out_and_leaves_nothing_wrong"
_FORKED = "test_a_child_that_is_forked_in_the_middle_of_a_call_finishes_it"
_FROZEN = "test_a_frozen_node_costs_a_first_call_on_many_keys_its_own_keys_only"

MISSED = "tests/namespaces/test_missed.py"
UNFIT = f"{FAULTS}/test_unfit.py"
RINGS = "tests/namespaces/test_rings.py"
OUTAGES = "tests/versions/test_outages.py"
MISSED_MUTATIONS = [
    Mutation(
        "a debt that was found, and not paid in time, is not forgotten",
        "guard.py",
        "elif self._is_in_use(index, error):",
        "elif not isinstance(error, NodeUnavailable):",
        f"{MISSED} -k found_and_cannot_be_paid",
    ),
    Mutation(
        "what was refused is told with what was missed later",
        "guard.py",
        "            behind = dict(self._behind[index])\n",
        "            behind: dict[bytes, object] = {}\n",
        f"{UNFIT} -k refused_while_it_was_told",
    ),
    Mutation(
        "who closes forgets that nodes were lost, and asks them what they missed",
        "guard.py",
        "            pool.doubt = partial(self.unsure.add, index)\n",
        "",
        f"{MISSED} -k forgets",
    ),
    Mutation(
        "so does a child",
        "net/pool.py",
        "        self._cast_doubt()\n        self.quick.clear()\n",
        "        self.quick.clear()\n",
        f"{MISSED} -k forgets",
    ),
    Mutation(
        "where there are no threads, calls look for debts",
        "guard.py",
        "            # There are too many threads.\n            self.unsure.update(self._pools)\n",
        "            # There are too many threads.\n",
        f"{MISSED} -k no_thread_can_be_started",
    ),
    Mutation(
        "an address that is silent has a share of the time only",
        "net/redis_opening.py",
        "timeout / _addresses(node)",
        "timeout",
        f"{UNFIT} -k address_that_takes",
    ),
    Mutation(
        "of those of a memcached, too",
        "net/memcached_opening.py",
        "_left(deadline) / (len(addresses) - number)",
        "_left(deadline)",
        f"{UNFIT} -k address_that_takes",
    ),
    Mutation(
        "a slow look-up takes nothing from the time of the node",
        "net/memcached_opening.py",
        "        deadline = monotonic() + timeout\n        sock =",
        "        deadline = monotonic() + timeout - 1.2\n        sock =",
        f"{UNFIT} -k slow_look_up",
    ),
    Mutation(
        "who cannot say which server it is, is not another one",
        "net/exchange.py",
        "    if refusal is not None:\n",
        "    if False:\n",
        f"{UNFIT} -k too_busy",
    ),
    Mutation(
        "an address that leads to another server is seen by the processes that use it",
        "net/exchange.py",
        "isinstance(leg.pool, Pool) and leg.pool.identity:",
        "False:",
        f"{MISSED} -k failover",
    ),
    Mutation(
        "each call that was refused before it began is told of",
        "guard.py",
        "            if index in batch:\n                self._pools[index].report(refusal)\n",
        "",
        f"{CACHE}/test_events.py -k never_there",
    ),
    Mutation(
        "a write that is not sent again is told of",
        "net/request.py",
        "        self._pool.report(error)\n        return error",
        "        return error",
        f"{CACHE}/test_events.py -k connection_is_lost",
    ),
    Mutation(
        "what was changed while it was computed is said not to be kept",
        "fills.py",
        "            self._account.not_stored(key, _NOT_KEPT)",
        "            pass",
        f"{CACHE}/test_events.py -k changed_meanwhile",
    ),
    Mutation(
        "an interrupted call in a namespace keeps no connection",
        "net/leg.py",
        "        if connection is not None:\n            connection.close()",
        "        if connection is not None:\n            self.pool.put(connection)",
        f"{FAULTS}/test_points.py::test_nor_does_one_in_a_namespace[redis-get_many]",
    ),
    Mutation(
        "a server whose identity has changed is asked for it",
        "known.py",
        "            self.unsure.add(index)",
        "            pass",
        f"{MISSED} -k gets_a_replica",
    ),
    Mutation(
        "what it is now is not what was remembered of its records",
        "quick.py",
        '            self._tokens.pop(index, None)\n            return b""\n',
        "            pass\n",
        f"{MISSED} -k gets_a_replica",
    ),
    Mutation(
        "plain keys do not ask for the identity that a refusing node had",
        "guard.py",
        "            pool.identity = None\n            return True",
        "            return True",
        f"{UNFIT} -k started_again_after_it_refused",
    ),
    Mutation(
        "a node that answers, and refuses to be told, has plain keys",
        "guard.py",
        "            if isinstance(error, NodeRefused):\n                # It has",
        "            if False:\n                # It has",
        f"{MISSED} -k comes_back_as_a_replica",
    ),
    Mutation(
        "a child does not inherit what was suspected",
        "net/pool.py",
        "        self._outages.clear()\n        self._health = Health()",
        "        self._outages.clear()",
        f"{FAULTS}/test_pool.py -k closed_or_inherited",
    ),
    Mutation(
        "a connection that began before an outage begins no other",
        "net/pool.py",
        "            self.be_late(error, timeout, epoch)",
        "            self.be_late(error, timeout)",
        f"{FAULTS}/test_pool.py -k before_an_outage",
    ),
    Mutation(
        "an old connection takes no newer ones with it",
        "net/pool.py",
        "            return\n        self.epoch = object()",
        "            pass\n        self.epoch = object()",
        f"{FAULTS}/test_pool.py -k no_newer_ones",
    ),
    Mutation(
        "a failure is told of once",
        "net/leg.py",
        "            self.pool.complain(failure)",
        "            self.pool.report(failure)\n            self.pool.complain(failure)",
        f"{CACHE}/test_events.py -k told_of_once",
    ),
    Mutation(
        "a write without an answer is made up for",
        "guarded.py",
        "            guard.missed(self._record, missed)",
        "            pass",
        f"{MISSED}::test_what_a_frozen_node_does_late_is_not_seen -k redis",
    ),
    Mutation(
        "so is one on the direct path",
        "guarded.py",
        "            self.guard.missed(self._record, {index: error})",
        "            del index, error",
        "tests/namespaces/test_invalidation.py -k may_have_been_done",
    ),
    Mutation(
        "who could not tell a node leaves it alone until it has",
        "net/pool.py",
        "        self.arrears.add(record)\n",
        "",
        f"{MISSED}::test_who_could_not_tell_a_node_is_never_given_what_is_old -k redis",
    ),
    Mutation(
        "others look for debts now and then",
        "guard.py",
        " = {i: () for i in up if i not in self.unsure}",
        " = {}\n            del up",
        f"{MISSED}::test_others_are_not_given_it_for_longer_than_the_interval -k redis",
    ),
    Mutation(
        "a process that begins looks for debts first",
        "guard.py",
        "        self.unsure |= {\n            index",
        "        self.unsure |= {\n            -1 - index",
        f"{MISSED}::test_a_process_that_starts_later_hears_of_it_before_its_first_read -k redis",
    ),
    Mutation(
        "a debt is paid by dropping what is there",
        "versions/owing.py",
        "            is_anew = (joins and index in self._gains) or bool(",
        "            is_anew = (joins and index in self._gains) and bool(",
        f"{OUTAGES} -k debts-redis",
    ),
    Mutation(
        "a new connection leads to the server that is known",
        "net/exchange.py",
        "if connection is not None and is_right:",
        "if connection is not None:",
        f"{MISSED}::test_a_snapshot_brings_nothing_back[False]",
    ),
    Mutation(
        "what was made on another server is dead",
        "record.py",
        "    if identity is None or first is None or parts_of(first)[1] == identity:",
        "    if True:",
        f"{MISSED}::test_a_snapshot_brings_nothing_back[False] {VERSION_KEYS}",
    ),
    Mutation(
        "a child knows what its parent owes",
        "net/pool.py",
        "        self.quick.clear()\n",
        "        self.quick.clear()\n        self.arrears = Arrears()\n",
        f"{MISSED}::test_a_child_process_does_not_forget_what_a_node_has_missed -k redis",
    ),
    Mutation(
        "what is changed is dropped at the other ring's owner",
        "mirror.py",
        "                if other != index:",
        "                if False:",
        f"{RINGS} -k old_by_way_of_the_other",
    ),
    Mutation(
        "a change that the other owner has not heard of is refused",
        "mirror.py",
        "                left |= dict.fromkeys(sources, answer)",
        "                pass",
        f"{RINGS} -k refused",
    ),
    Mutation(
        "who knows an older ring says that it is incomplete",
        "versions/reading.py",
        "return [newer] if epoch > self._epoch else []",
        "return []",
        f"{RINGS} -k older_ring",
    ),
    Mutation(
        "a node that owns more begins anew",
        "rings.py",
        "    names = {new for _, new in moves}",
        "    names = {old for old, _ in moves}",
        f"{RINGS} -k begins_anew",
    ),
    Mutation(
        "few short waits are no failure, and some are",
        "health.py",
        "        if strikes >= self.strikes:",
        "        if strikes > self.strikes:",
        "tests/health",
    ),
    Mutation(
        "whoever goes on and on lets a node come back",
        "guard.py",
        "                outage.over.wait(max(deadline - monotonic(), 0))",
        "                pass",
        f"{RINGS} -k refused",
    ),
    Mutation(
        "a memcached that compares nothing is no use to leases",
        "wire/memcached_talk.py",
        "    if not token:",
        "    if False:",
        f"{MISSED} -k compares_nothing",
    ),
]

MUTATIONS = [
    Mutation(
        "a cache that is dropped is gone at once",
        "cache.py",
        "            self._namespaces[names] = made\n",
        "            self._namespaces[names] = made\n            made.home = self\n",
        f"{CACHE}/test_lifecycle.py::test_a_cache_that_is_dropped_is_gone_at_once",
    ),
    Mutation(
        "an exact hit belongs to its point",
        "ring/lookup.py",
        "from bisect import bisect_left",
        "from bisect import bisect_right as bisect_left",
        VECTORS,
    ),
    Mutation(
        "hashes past the last point wrap round",
        "ring/continuum.py",
        "owners.append(owners[0])",
        "owners.append(owners[-1])",
        VECTORS,
    ),
    Mutation(
        "equal points keep the order of the circle",
        "ring/continuum.py",
        "enumerate(circle.groups):",
        "((-i % 2**16, group) for i, group in enumerate(circle.groups)):",
        VECTORS,
    ),
    Mutation(
        "where points are unique, the others vanish",
        "ring/continuum.py",
        "if circle.unique:",
        "if False:",
        VECTORS,
    ),
    Mutation(
        "a bucket is answered by the table only if one node owns all of it",
        "ring/continuum.py",
        "for bucket in ends:",
        "for bucket in ends[::2]:",
        VECTORS,
    ),
    Mutation(
        "libketama rounds before the floor",
        "ring/binary32.py",
        "floor(f32(share * 40.0 * nodes))",
        "floor(share * 40.0 * nodes)",
        VECTORS,
    ),
    Mutation(
        "libmemcached rounds each intermediate result",
        "ring/binary32.py",
        "f32(f32(f32(share * 160.0) / 4.0) * nodes)",
        "share * 40.0 * nodes",
        VECTORS,
    ),
    Mutation(
        "integers are rounded to binary32 once",
        "ring/binary32.py",
        "if isinstance(value, int) and value > _EXACT_IN_BINARY64:",
        "if False:",
        f"{RING}/test_binary32.py",
    ),
    Mutation(
        "bytes are signed in one_at_a_time",
        "ring/hashes.py",
        "byte if byte < 0x80 else byte - 0x100",
        "byte",
        VECTORS,
    ),
    Mutation(
        "libmemcached drops the default port",
        "label.py",
        "if node.effective_port == _MEMCACHED_PORT:\n        return",
        "if False:\n        return",
        VECTORS,
    ),
    Mutation(
        "nginx tells a port that was not written from the default one",
        "label.py",
        "{node.port or ''}",
        "{node.effective_port}",
        VECTORS,
    ),
    Mutation(
        "twemproxy sorts by length first",
        "ring/twemproxy.py",
        "return len(text), text",
        "return 0, text",
        f"{PROPERTIES}::test_twemproxy_gives_an_equal_point_to_the_shorter_label",
    ),
    Mutation(
        "an empty hash tag is no tag",
        "ring/twemproxy.py",
        "if end > start",
        "if end >= start",
        f"{PROPERTIES}::test_hash_tags",
    ),
    Mutation(
        "in spymemcached the last node keeps an equal point",
        "ring/spymemcached.py",
        "for i in reversed(range(len(nodes)))",
        "for i in range(len(nodes))",
        VECTORS,
    ),
    Mutation(
        "spymemcached's tries depend on their number",
        "ring/spymemcached.py",
        'self.key_hash(b"%d" % attempt + key)',
        "self.key_hash(key)",
        VECTORS,
    ),
    Mutation(
        "weights multiply the points of nginx",
        "ring/nginx.py",
        "range(_POINTS * node.weight)",
        "range(_POINTS)",
        VECTORS,
    ),
    Mutation(
        "autoweighted needs a weight above 1",
        "ring/libmemcached.py",
        "node.weight > 1",
        "node.weight > 2",
        f"{PROPERTIES}::test_autoweighted_is_weighted_only_above_a_weight_of_one",
    ),
    Mutation(
        "weight 0 counts as 1 in libmemcached",
        "ring/libmemcached.py",
        "max(node.weight, 1)",
        "node.weight",
        VECTORS,
    ),
    Mutation(
        "the kcache layout is frozen",
        "ring/kcache_murmur3.py",
        'labels[i] + b"-%d"',
        'labels[i] + b":%d"',
        f"{RING}/test_murmur.py",
    ),
    Mutation(
        "the order of nodes does not matter in the kcache dialect",
        "ring/kcache_murmur3.py",
        "sorted(range(len(nodes)), key=labels.__getitem__)",
        "range(len(nodes))",
        f"{RING}/test_murmur.py",
    ),
    Mutation(
        "shares are exact",
        "ring/plan.py",
        "return [Fraction(hashes, space)",
        "return [Fraction(hashes // 1000, space // 1000)",
        f"{RING}/test_shares.py",
    ),
    Mutation(
        "shares are of the hashes that keys can have",
        "ring/dialect.py",
        "1 << 15 if",
        "HASH_SPACE if",
        f"{RING}/test_shares.py",
    ),
    Mutation(
        "a plan is exact",
        "ring/plan.py",
        "moved[before, after] += hashes",
        "moved[before, after] += 1",
        f"{RING}/test_shares.py",
    ),
    Mutation(
        "of equal points only the first has an arc",
        "ring/continuum.py",
        "if end > start:",
        "if True:",
        f"{RING}/test_shares.py",
    ),
    Mutation(
        "a plan needs rings that hash alike",
        "ring/ring.py",
        "if not self.hashes_like(other):",
        "if False:",
        f"{PROPERTIES}::test_a_plan_between_rings_that_hash_differently_is_refused",
    ),
    Mutation(
        "two nodes of one name are refused",
        "ring/ring.py",
        "if node.name in names:",
        "if False:",
        f"{PROPERTIES}::test_bad_rings_get_one_clear_line",
    ),
    Mutation(
        "a ring is immutable",
        "ring/ring.py",
        'raise AttributeError(f"a Ring is immutable: {name} cannot be set")',
        "super().__setattr__(name, value)",
        f"{PROPERTIES}::test_a_ring_is_immutable",
    ),
    Mutation(
        "a server list is read as libketama reads it",
        "ring/server_list.py",
        "token[:-1])",
        "token)",
        FILES,
    ),
    Mutation(
        "names in a nutcracker.yml are labels",
        "ring/nutcracker.py",
        'name=match["name"],\n    )',
        "name=None,\n    )",
        FILES,
    ),
    Mutation(
        "a node equals itself in another process",
        "node.py",
        "return _rebuild, (self._parts(),)",
        "return object.__reduce_ex__(self, 2)",
        NODES,
    ),
    Mutation(
        "a host is hashed as it is written",
        "url.py",
        'split.netloc.rpartition("@")[2]',
        'split.netloc.lower().rpartition("@")[2]',
        NODES,
    ),
    Mutation(
        "nodes that a dialect hashes alike are refused",
        "ring/ring.py",
        "if other is not node:",
        "if False:",
        f"{PROPERTIES}::test_bad_rings_get_one_clear_line",
    ),
    Mutation(
        "what twemproxy refuses is refused",
        "ring/nutcracker.py",
        "if name not in _SETTINGS:",
        "if False:",
        FILES,
    ),
    Mutation(
        "only a str is remembered",
        "ring/lookup.py",
        "    def find(key: Key) -> Node:\n        if key.__class__ is not str:\n            return "
        "nodes[locate(key)]\n        node = recall(key)\n        if node is None:\n            try",
        "    def find(key: Key) -> Node:\n        node = recall(key)\n        if node is None:\n"
        "            try",
        PROPERTIES,
    ),
    Mutation(
        "passwords are masked",
        "url.py",
        '_, at, rest = rest.rpartition("@")',
        '_, at, rest = rest.partition("@")',
        NODES,
    ),
    Mutation(
        "a refused value takes the old one with it",
        "plain.py",
        "                doomed[index] = wires\n",
        "                pass\n",
        f"{OVERSIZE}::test_a_redis_without_room_refuses_and_gives_no_old_value",
    ),
    Mutation(
        "a value that no node would give back is not kept in-process either",
        "memory.py",
        " or len(data) > MAX_VALUE:",
        ":",
        f"{OVERSIZE} -k for_any_node_is_not_stored",
    ),
    Mutation(
        "add of a value that is too large leaves the entry alone",
        "plain.py",
        "if isinstance(command, Swap) or command.condition is not ABSENT:",
        "if True:",
        f"{OVERSIZE} -k anywhere_is_refused_and_the_entry_there_stays",
    ),
    Mutation(
        "a node is heard before its end of a connection counts",
        "net/leg.py",
        "            self._hear(error)",
        "            self.lose(error)",
        f"{OVERSIZE} -k ends_the_connection",
    ),
    Mutation(
        "nobody gets a connection that ends over a value",
        "net/leg.py",
        "        if may_end or not self.is_sent:",
        "        if not self.is_sent:",
        f"{FAULTS}/test_repeats.py -k may_end_over_a_value",
    ),
    Mutation(
        "connections that are left to the collector are closed",
        "net/connection.py",
        "    _open.pop(connection_of).close()",
        "    _open.pop(connection_of)",
        f"{CACHE}/test_lifecycle.py -k left_to_the_collector",
    ),
    Mutation(
        "of two forms of a key the last one counts in set_many",
        "plain.py",
        "values[last.get(key, key) if last else key]",
        "values[key]",
        f"{ONE_KEY} -k test_set_many",
    ),
    Mutation(
        "get_many gives a key under both its forms",
        "route.py",
        "                twins.append((key, first))",
        "                pass",
        f"{ONE_KEY} -k test_get_many",
    ),
    Mutation(
        "bytes keys are not remembered among str keys",
        "route.py",
        "        if key.__class__ is not str:\n",
        "        if False:\n",
        f"{ONE_KEY} -k python_forbids",
    ),
    Mutation(
        "a ttl that no node can count is clamped",
        "ttl.py",
        "else min(ttl, _LONGEST)",
        "else ttl",
        f"{TTLS}::test_a_ttl_beyond_what_the_node_can_count_is_clamped -k memory",
    ),
    Mutation(
        "a bool is no ttl",
        "ttl.py",
        "if isinstance(ttl, bool) or not",
        "if not",
        f"{TTLS}::test_what_is_no_ttl_is_no_default_either",
    ),
    Mutation(
        "an entry lives no shorter on memcached",
        "wire/memcached_talk.py",
        "return ceil(ttl) + 1",
        "return ceil(ttl)",
        f"{LIFE}",
    ),
    Mutation(
        "more than 30 days stay a duration on memcached",
        "wire/memcached_talk.py",
        "if ttl <= _MONTH - 1:",
        "if True:",
        f"{TTLS}::test_an_entry_lives_as_long_as_was_asked -k memcached",
    ),
    Mutation(
        "at zero an entry is gone on memcached",
        "wire/memcached_talk.py",
        "    if ttl <= 0:\n",
        "    if ttl < 0:\n",
        f"{TTLS}::test_at_zero_or_less_the_entry_is_gone_at_once -k memcached",
    ),
    Mutation(
        "parts of a second count on Redis",
        "wire/redis_talk.py",
        "ceil(ttl * 1000) if",
        "ceil(ttl) * 1000 if",
        f"{LIFE}",
    ),
    Mutation(
        "a cache's default ttl is used by every call",
        "calls.py",
        "return self._ttl if ttl is UNSET else seconds(ttl)",
        "return None if ttl is UNSET else seconds(ttl)",
        f"{TTLS}::test_a_default_counts_where_no_ttl_is_said -k memory",
    ),
    Mutation(
        "a key of another type is a miss on Redis",
        "wire/redis_talk.py",
        'return [] if values[0].code == b"WRONGTYPE" else _refused(values[0])',
        "return _refused(values[0])",
        f"{CACHE}/test_undecodable.py -k keys_of_other_types",
    ),
    Mutation(
        "below zero a counter stops on Redis",
        "wire/redis_scripts.py",
        "if sum >= 0 then return text end",
        "if true then return text end",
        f"{COUNTERS}::test_below_zero_a_counter_stops_at_zero -k redis",
    ),
    Mutation(
        "a negative number is no counter on Redis",
        "wire/redis_scripts.py",
        "'^%d+$'",
        "'^-?%d+$'",
        f"{COUNTERS}::test_what_is_no_counter_is_refused_and_stays -k redis",
    ),
    Mutation(
        "a text is no counter in-process",
        "memory.py",
        "if held_flags != flags:",
        "if False:",
        f"{COUNTERS}::test_what_is_no_counter_is_refused_and_stays -k memory",
    ),
    Mutation(
        "a counter does not overflow on memcached",
        "plain.py",
        "not 0 <= number <= MAX_COUNT - max(delta, 0)",
        "not 0 <= number <= MAX_COUNT",
        f"{COUNTERS} -k beyond_it_nothing_changes",
    ),
    Mutation(
        "counts on memcached are not lost",
        "plain.py",
        "token = int(held.token) if is_careful else None",
        "token = None",
        f"{CACHE}/test_counters_shared.py -k nobody_waits_for_long",
    ),
    Mutation(
        "cas without a token stores nothing",
        "plain.py",
        "if not isinstance(token, (int, bytes)):",
        "if False:",
        f"{CACHE}/test_cas.py::test_what_is_no_token_is_refused -k memory",
    ),
    Mutation(
        "cas compares on Redis",
        "wire/redis_scripts.py",
        "if held ~= ARGV[1] then return 0 end\n",
        "",
        f"{CACHE}/test_cas.py::test_a_change_in_between_is_noticed -k redis",
    ),
    Mutation(
        "a stored None is a hit",
        "calls.py",
        "if value is MISSING:\n            self._account.miss(key)\n            return default",
        "if value in (MISSING, None):\n            return default",
        f"{CACHE}/test_calls.py::test_a_stored_none_is_a_hit -k memory",
    ),
    Mutation(
        "a dead node is a miss for calls on many keys",
        "flow.py",
        "if failures and self._strict:",
        "if failures:",
        f"{CACHE}/test_nodes_down.py::test_under_miss_every_call_gives_its_miss_value",
    ),
    Mutation(
        "a cache pickles with its configuration",
        "core.py",
        "opened, (self.configuration,)",
        'opened, ({**self.configuration, "nodes": None},)',
        f"{CACHE}/test_lifecycle.py::test_a_pickled_cache_knows_its_options_and_its_password",
    ),
    Mutation(
        "values keep their type on Redis, which has no flags",
        "form.py",
        '_of_redis(entries) if kind == "redis" else',
        "_of_redis(entries) if False else",
        f"{CACHE}/test_values.py::test_a_value_comes_back_with_its_type -k redis",
    ),
    Mutation(
        "what breaks lines does not go out in a key",
        "key.py",
        '_UNSAFE = bytes(range(0x21)) + b"\\x7f"',
        '_UNSAFE = b"\\n"',
        f"{CACHE}/test_hostile_keys.py::test_every_call_takes_them -k memcached",
    ),
    Mutation(
        "an invalidation replaces the records that are there",
        "versions/reading.py",
        "FRAME_FLAGS), RECORD_TTL, PRESENT)",
        "FRAME_FLAGS), RECORD_TTL, ABSENT)",
        f"{FLOWS}::test_an_invalidation_is_one_round_trip_to_each_node_whatever_there_is",
    ),
    Mutation(
        "no two nodes are sent the same token",
        "versions/reading.py",
        "yield {index: (self._renewal(record), ring) for index in range(len(self._nodes))}",
        "yield dict.fromkeys(range(len(self._nodes)), (self._renewal(record), ring))",
        f"{FLOWS}::test_each_node_is_sent_a_token_of_its_own",
    ),
    Mutation(
        "entries are read before their records",
        "versions/reading.py",
        "return Get((*(place.key for place in places), *self.path.records))",
        "return Get((*self.path.records, *(place.key for place in places)))",
        f"{FLOWS}::test_entries_are_read_before_records",
    ),
    Mutation(
        "an entry is alive in its own place only",
        "versions/reading.py",
        "unframe_stamped(data, place.digest + joined(tokens))",
        "unframe_stamped(data, self._entries.unframe(data)[1][:24] + joined(tokens))",
        f"{FLOWS}::test_an_entry_moved_to_another_key_is_a_miss",
    ),
    Mutation(
        "what is decided from a value takes no newer tokens",
        "versions/changing.py",
        "versions = (yield from self._installed({index: seen.tokens}))[index]",
        "versions = (yield from self._installed({index: ()}))[index]",
        f"{MODEL}[two-clients]",
    ),
    Mutation(
        "a set that was too late gives way to a later one",
        "versions/storing.py",
        "if held is not None and self._is_or_was(held.data, stored[index][place][1])",
        "if held is not None",
        f"{MODEL}[two-clients]",
    ),
    Mutation(
        "a token of cas is of its records, too",
        "namespaced.py",
        "return bool(stored) and all(tokens) and joined(tokens) == token.versions",
        "return bool(stored)",
        f"{MODEL}[two-clients]",
    ),
    Mutation(
        "an entry is no version record",
        "record.py",
        "is_sound = tag == _TAG and len(payload)",
        "is_sound = len(payload)",
        f"{VERSION_KEYS}::test_an_entry_is_no_record",
    ),
    Mutation(
        "two paths have two wire keys",
        "namespace.py",
        "hashed.update(_sized(name))",
        "hashed.update(name)",
        f"{VERSION_KEYS}::test_two_paths_or_keys_are_one_only_if_they_are_equal",
    ),
    Mutation(
        "known tokens take bounded memory",
        "known.py",
        "if len(known) >= MAX_KNOWN:",
        "if False:",
        f"{FLOWS}::test_known_tokens_are_bounded",
    ),
    Mutation(
        "a set that may have been done is not sent again",
        "net/beside.py",
        "store, None, self._parse_stored, once=True)",
        "store, None, self._parse_stored)",
        f"{FAULTS}/test_repeats.py",
    ),
    Mutation(
        "a lease beside is of the entry that is there",
        "versions/filling.py",
        "return mark_of(lease, now) if lease.endswith(digest_of(entry)) else None",
        "return mark_of(lease, now)",
        "tests/namespaces/test_promises.py",
    ),
    Mutation(
        "a set breaks a lease that has taken its place",
        "versions/storing.py",
        "return marker is not None and marker.over == digest_of(stored)",
        "return False",
        f"{MODEL}[two-clients]",
    ),
    Mutation(
        "a record is not sent twice",
        "versions/reading.py",
        "Set((item,), RECORD_TTL, once=True)",
        "Set((item,), RECORD_TTL)",
        f"{FLOWS}::test_no_record_is_sent_again",
    ),
    Mutation(
        "an invalidation tells every node",
        "versions/reading.py",
        "{index: (self._renewal(record), ring) for index in range(len(self._nodes))}",
        "answers = yield {index: (self._renewal(record),) for index in range(1)}",
        "tests/namespaces/test_invalidation.py",
    ),
    Mutation(
        "the direct path looks at the records",
        "quick.py",
        "tokens = last[1] if last and last[0] is found else self._note(index, found)",
        "tokens = last[1] if last else self._note(index, found)",
        "tests/namespaces/test_invalidation.py",
    ),
    Mutation(
        "records that are remembered are compared in full",
        "net/beside.py",
        'if found and data.endswith(tail):\n            start = data.find(b"\\n", 5) + 1',
        'if found and len(data) > len(tail):\n            start = data.find(b"\\n", 5) + 1',
        "tests/namespaces/test_invalidation.py",
    ),
    Mutation(
        "the size of what stands before them is that of the entry",
        "net/beside.py",
        'if data[:start] == b"%b$%d\\r\\n" % (self._head, size):',
        "if start:",
        f"{FAULTS}/test_streams.py",
    ),
    Mutation(
        "an entry that is read is the one that was asked for",
        "net/beside.py",
        'if data[:start] == b"VALUE %b %d %d\\r\\n" % (wire, FRAME_FLAGS, size):',
        "if start:",
        f"{FAULTS}/test_streams.py",
    ),
    Mutation(
        "a reply with another key is none",
        "net/direct.py",
        "value[0] == wire else INCOMPLETE",
        "value[0] else INCOMPLETE",
        f"{FAULTS}/test_streams.py",
    ),
    Mutation(
        "what a handler raises comes out",
        "interruption.py",
        "if traceback.tb_frame.f_code in handlers:",
        "if False:",
        f"{FAULTS}/test_interruptions.py::{_HANDLER}",
    ),
    Mutation(
        "a child closes what an exchange of its parent is going over",
        "net/connection.py",
        "os.register_at_fork(after_in_child=_close_all)",
        "del _close_all",
        f"{FAULTS}/test_interruptions.py::{_FORKED}",
    ),
    Mutation(
        "a frozen node does not keep others from being read",
        "net/exchange.py",
        "if len(legs) == 1 and not missing:",
        "if legs:",
        f"{FAULTS}/test_nodes.py::{_FROZEN}",
    ),
    Mutation(
        "what may not be said twice is said once",
        "net/leg.py",
        "self.may_repeat = is_old and self.talk.is_harmless",
        "self.may_repeat = True",
        f"{FAULTS}/test_repeats.py",
    ),
    Mutation(
        "what may not be said twice is not said to a closed connection",
        "net/pool.py",
        "if not (fresh and connection.is_stale()):",
        "if True:",
        f"{FAULTS}/test_repeats.py",
    ),
    Mutation(
        "a node that was given little time is not taken for dead",
        "net/pool.py",
        "if waited > self.timeout / 2:",
        "if True:",
        f"{FAULTS}/test_pool.py::test_a_node_is_as_late_as_it_was_waited_for",
    ),
    Mutation(
        "a call has one deadline",
        "net/request.py",
        "return Begun(None, None, begun + self._pool.timeout)",
        "return Begun(None, None, monotonic() + self._pool.timeout)",
        f"{FAULTS}/test_nodes.py::test_after_a_late_reset_there_is_only_the_rest_of_the_time",
    ),
    Mutation(
        "a call that is refused leaves time to the thread that asks the node",
        "net/pool.py",
        "            sleep(_REST)\n",
        "            pass\n",
        f"{FAULTS}/test_pool.py -k never_rests",
    ),
    Mutation(
        "and only now and then",
        "net/pool.py",
        "self._next_rest = now + _REST_INTERVAL",
        "self._next_rest = 0.0",
        f"{FAULTS}/test_pool.py -k never_rests",
    ),
    Mutation(
        "clocks do not matter for what has a ttl and no more",
        "fills.py",
        "if ttl is None or not policy.is_dated:",
        "if ttl is None:",
        "tests/namespaces/test_clocks.py",
    ),
    Mutation(
        "an outage is one line",
        "net/pool.py",
        "        if current is outage:\n",
        "        if True:\n",
        f"{FAULTS}/test_pool.py::test_a_node_that_fails_twice_is_in_one_outage",
    ),
    Mutation(
        "what has come while the process was held up is taken",
        "net/exchange.py",
        "            self._go_round(None)\n",
        "            pass\n",
        f"{HELD_UP}::test_what_has_come_meanwhile_is_taken",
    ),
    Mutation(
        "who was held up says less of a node",
        "net/leg.py",
        "waited = min(waited, timeout / 2)",
        "pass",
        f"{FAULTS}/test_pool.py -k held_up",
    ),
    Mutation(
        "what begins too late is not said at all",
        "net/exchange.py",
        "is_over = monotonic() >= self._over",
        "is_over = False",
        f"{HELD_UP}::test_what_begins_too_late_is_not_said",
    ),
    Mutation(
        "what could not be sent is not sent too late",
        "net/exchange.py",
        "if connection is not None and monotonic() >= self._over:",
        "if False:",
        f"{HELD_UP}::test_a_node_that_was_not_asked_in_time_is_not_late",
    ),
    Mutation(
        "so it is on the direct path",
        "net/request.py",
        "if isinstance(error, TimeoutError) and not is_of_handler(error):",
        "if False:",
        f"{HELD_UP}::test_what_has_come_meanwhile_is_taken",
    ),
    Mutation(
        "the time to open a connection is not one that the node was asked in",
        "net/leg.py",
        "        self._epoch = connection.epoch\n        self._begun = monotonic()\n",
        "        self._epoch = connection.epoch\n",
        f"{FAULTS}/test_pool.py -k asked_since",
    ),
    Mutation(
        "what a leg says is of the time when it was made",
        "net/leg.py",
        "self.pool.be_late(error, waited, self._epoch)",
        "self.pool.be_late(error, waited)",
        f"{FAULTS}/test_pool.py -k waits_since_then",
    ),
    Mutation(
        "who was not asked where it leads is not used in namespaces",
        "guard.py",
        "            if identity:\n",
        "            if False:\n",
        f"{FAULTS}/test_unfit.py -k not_asked_where",
    ),
    Mutation(
        "what was not said to a node is none of its outages",
        "guard.py",
        "return type(failure) is NodeUnavailable and self._pools[index].refusal() is None",
        "return False",
        f"{MISSED} -k says_so_once",
    ),
    Mutation(
        "a node that was told knows which server it is, whatever it refused",
        "guard.py",
        "            if error is None:\n                self._is_ready(index, behind)",
        "            if error is None and not self._behind[index]:\n"
        "                self._is_ready(index, behind)",
        f"{FAULTS}/test_unfit.py -k started_again_after",
    ),
    Mutation(
        "a server that has no room for a connection is not dead",
        "net/leg.py",
        "if (words := self._heard()).is_farewell:",
        "if False and (words := self._heard()):",
        f"{FULL}[redis-namespace]",
    ),
    Mutation(
        "what it has ended is not kept as idle",
        "net/leg.py",
        "may_end = may_end or each.is_farewell",
        "pass",
        f"{FULL}[memcached-namespace]",
    ),
    Mutation(
        "nor is it dead where its identity is asked",
        "net/exchange.py",
        "if isinstance(error, NodeRefused):",
        "if False:",
        f"{FAULTS}/test_full.py::test_nor_is_one_that_was_known_before",
    ),
    Mutation(
        "it may have room at once",
        "guard.py",
        "if not is_down and not Refused(error.reason).is_farewell:",
        "if not is_down:",
        f"{FULL}[redis-namespace]",
    ),
    Mutation(
        "a closed cache asks no node",
        "net/pool.py",
        'self._outages.pop("now", None)\n        if outage is not None:',
        'self._outages.pop("now", None)\n        if False:',
        f"{FAULTS}/test_nodes.py::test_nobody_looks_after_the_nodes_of_a_closed_cache",
    ),
    Mutation(
        "a server of another kind is not told the password",
        "net/memcached_opening.py",
        "if not reply.startswith(_UNHEARD):",
        "if False:",
        f"{CACHE}/test_messages.py",
    ),
    Mutation(
        "files of TLS are read when a cache is opened",
        "net/transport.py",
        "            check_tls(node)\n",
        "            pass\n",
        f"{CACHE}/test_tls_files.py",
    ),
    Mutation(
        "an extension of MessagePack is no value",
        "codec/safe.py",
        "if _may_hold_others(data) and",
        "if _BIN_8 in data and",
        "tests/codec/test_safe.py",
    ),
    Mutation(
        "the MAC is compared",
        "signer.py",
        "compare_digest(_mac(keyed, data), mac)",
        "True",
        TRUST,
    ),
    Mutation(
        "the stamp is under the signature",
        "signer.py",
        "hashed.update(data)",
        "hashed.update(data[64:])",
        f"{TRUST}::test_the_place_is_under_the_signature",
    ),
    Mutation(
        "the stamp of a plain key is of this key",
        "signed.py",
        "blake2b(wire,",
        'blake2b(b"",',
        f"{TRUST}::test_nothing_is_read_in_another_place",
    ),
    Mutation(
        "with a secret what is not signed is not there",
        "frame.py",
        "    if check is not None:\n        signed, end",
        "    if check is not None and data[4] & _SIGNED:\n        signed, end",
        TRUST,
    ),
    Mutation(
        "with a secret nothing is raw",
        "signed.py",
        "        return self.frame(value, stamp_of(wire))",
        "        return super().to_redis(value)",
        f"{TRUST}::test_nothing_is_stored_raw",
    ),
    Mutation(
        "nothing is unpickled before the signature is checked",
        "framed.py",
        "        known = self._heads.get(",
        "        with __import__('contextlib').suppress(Exception):\n"
        "            self.codec.decode(data[frame.STAMP_START + len(stamp) : -7])\n"
        "        known = self._heads.get(",
        f"{TRUST}::test_no_planted_pickle_is_executed",
    ),
    Mutation(
        "pickles need a secret",
        "codec/seam.py",
        "    if needs_secret(codec):",
        "    if False:",
        f"{CACHE}/test_configuration.py",
    ),
    Mutation(
        "a nonce is used once",
        "codec/encrypted.py",
        "token_bytes(_NONCE_SIZE)",
        "bytes(_NONCE_SIZE)",
        "tests/codec/test_chosen.py",
    ),
    Mutation(
        "counts do not put off the end of a counter beyond 30 days",
        "wire/memcached_talk.py",
        "return min(ceil((now + left - _BEHIND) / _GRID) * _GRID, mc.MAX_EXPTIME)",
        "return min(ceil(now) + left, mc.MAX_EXPTIME)",
        f"{COUNTERS} -k put_off_the_end",
    ),
    Mutation(
        "a signed counter keeps its end",
        "plain_signed.py",
        "    if change.keeps_end:",
        "    if False:",
        f"{TRUST}::test_counters_keep_their_end_and_their_range",
    ),
    Mutation(
        "keys of calls hold the types of arguments",
        "arguments.py",
        "text = ascii(values)",
        "text = ascii(tuple(map(str, values)))",
        ARGUMENTS,
    ),
    Mutation(
        "keys of calls hold the types of what is in arguments",
        "canonical.py",
        "**dict.fromkeys(SIMPLE, ascii),",
        "**dict.fromkeys(SIMPLE, str),",
        ARGUMENTS,
    ),
    Mutation(
        "how a call is written makes no difference",
        "arguments.py",
        "values = values_of(*args, **kwargs)",
        "values = (*args, *kwargs.values())",
        ARGUMENTS,
    ),
    Mutation(
        "the order of a dict makes no difference",
        "canonical.py",
        "items = sorted((canonical(key), canonical(item)) for key, item in value.items())",
        "items = [(canonical(key), canonical(item)) for key, item in value.items()]",
        ARGUMENTS,
    ),
    Mutation(
        "an instance is not known by its id",
        "arguments.py",
        "return kind, identity",
        "return kind, id(value)",
        FUNCTIONS,
    ),
    Mutation(
        "a subclass is not its base",
        "arguments.py",
        "kind = name_of(type(value))",
        "kind = name_of(type(value).__mro__[-2])",
        FUNCTIONS,
    ),
    Mutation(
        "a new version begins without results",
        "memoize.py",
        "home.namespace(*names, name, *version, ttl=ttl)",
        "home.namespace(*names, name, ttl=ttl)",
        f"{FUNCTIONS} -W ignore::kcache.SameNameWarning",
    ),
    Mutation(
        "a refresh is not kept after an invalidation",
        "memoized.py",
        "return recipe.space.refill(key, lambda: self.uncached(*args, **kwargs), **recipe.options)",
        "return recipe.space.set(key, made := self.uncached(*args, **kwargs)) and made",
        FUNCTIONS,
    ),
    Mutation(
        "two functions of one name are a warning",
        "defined.py",
        "if self.place != other.place:",
        "if False:",
        "tests/memoize/test_names.py",
    ),
    Mutation(
        "one of the coroutines that await a call computes",
        "off_loop.py",
        "if flight is None:",
        "if True:",
        "tests/memoize/test_coroutines.py",
    ),
    Mutation(
        "who waits in the same process finds the flight",
        "fills.py",
        "        if not is_new:\n            return flight.wait(deadline - monotonic())\n",
        "",
        f"{FILLS}/test_waiting.py::test_what_is_raised_is_raised_for_those_who_waited",
    ),
    Mutation(
        "what a factory raises is for those who waited, too",
        "fills.py",
        "            self._flights.end(mark, Failed(error))",
        "            self._flights.end(mark, None)",
        f"{FILLS}/test_waiting.py::test_what_is_raised_is_raised_for_those_who_waited",
    ),
    Mutation(
        "a lease is given up on an error",
        "fills.py",
        "        if error_ttl is None:\n            self._do(self._flows.release(sight.lease))\n",
        "        if error_ttl is None:\n            pass\n",
        f"{FILLS}/test_waiting.py::test_those_in_other_processes_compute_then",
    ),
    Mutation(
        "a lease is given up when its thread ends",
        "fills.py",
        "        if self._flights.find(mark) is not None:\n            self._do(",
        "        if False:\n            self._do(",
        f"{FILLS}/test_waiting.py -k leader_that_is_ended",
    ),
    Mutation(
        "what was computed is stored only while its lease stands",
        "versions/filling.py",
        "SetIf((place.key, data, FRAME_FLAGS), ttl, condition),",
        "SetIf((place.key, data, FRAME_FLAGS), ttl, Condition(present=None, token=None)),",
        f"{FILLS}/test_writes.py -k was_computed_before_a_write",
    ),
    Mutation(
        "beyond its time a stale value is not given",
        "fills.py",
        "if now >= kept.fresh_until + policy.stale_ttl:",
        "if False:",
        f"{FILLS}/test_freshness.py::test_beyond_its_time_a_stale_value_is_not_given",
    ),
    Mutation(
        "beyond its time a stale value stands for no exception",
        "fills.py",
        "and self._core.now() < kept.fresh_until + policy.stale_on_error",
        "and True",
        f"{FILLS}/test_freshness.py -k if_it_cannot_be_computed_again",
    ),
    Mutation(
        "both forms of a key are one to compute",
        "fills_many.py",
        "firsts.setdefault(self._flows.route(key), key)",
        "firsts.setdefault(key, key)",
        f"{FILLS}/test_many.py -k forms_of_a_key",
    ),
    Mutation(
        "only classes that are named are raised again",
        "failures.py",
        "for kind in _and_derived(kinds):",
        "for kind in _and_derived([Exception]):",
        f"{FILLS}/test_kept_errors.py::test_who_names_another_class_computes",
    ),
    Mutation(
        "a child forgets the flights of its parent",
        "flights.py",
        "os.register_at_fork(after_in_child=_forget_all)",
        "del _forget_all",
        f"{FILLS}/test_forks.py -k looks_for_itself",
    ),
    Mutation(
        "a bool is no number to count with",
        "calls.py",
        "if isinstance(number, bool) or not",
        "if not",
        f"{COUNTERS} -k memory",
    ),
    *MISSED_MUTATIONS,
]

FLASK = "../kcache_flask"
VISITS = "tests/flask/test_stale.py tests/flask/test_variants.py"
FLASK_MUTATIONS = [
    Mutation(
        "an answer with Set-Cookie is never stored",
        f"{FLASK}/http.py",
        'return "Set-Cookie" if answered.sets_cookie else None',
        'return "Set-Cookie" if answered.sets_cookie and "*" not in rules.covers else None',
        "tests/flask/test_http.py::test_cookies_are_never_stored",
    ),
    Mutation(
        "a long Cache-Control is no weapon",
        f"{FLASK}/http.py",
        '_DIRECTIVE.findall(_closed(text or ""))',
        '_DIRECTIVE.findall(text or "")',
        "tests/flask/test_http.py::test_a_long_header_is_no_weapon",
    ),
    Mutation(
        "no-store counts unless must-understand takes its place",
        f"{FLASK}/http.py",
        '    elif "no-store" in says:',
        '    if "no-store" in says:',
        "tests/flask/test_http.py::test_an_answer_says_whether_it_is_stored",
    ),
    Mutation(
        "authorized requests are not stored unless the answer allows it",
        f"{FLASK}/http.py",
        'or "must-revalidate" in says',
        'or "max-age" in says',
        "tests/flask/test_http.py::test_the_answer_to_an_authorized_request_is_stored_if_it_allows_it",
    ),
    Mutation(
        "no key covers Vary: *",
        f"{FLASK}/http.py",
        '    if _EVERYTHING in varies:\n        return "Vary: *"\n',
        "",
        "tests/flask/test_http.py -k users_apart",
    ),
    Mutation(
        "a session counts as Vary: Cookie",
        f"{FLASK}/http.py",
        '(answered.uses_session, "cookie", "session")',
        '(answered.uses_session, "authorization", "session")',
        "tests/flask/test_http.py -k users_apart",
    ),
    Mutation(
        "an absent header and an empty one are two variants",
        f"{FLASK}/http.py",
        "*map(environ.get, _environ_keys(names))",
        '*(environ.get(key, "") for key in _environ_keys(names))',
        "tests/flask/test_http.py::test_variants_are_told_apart",
    ),
    Mutation(
        "If-None-Match goes before dates",
        f"{FLASK}/conditional.py",
        "if if_none_match is not None:",
        "if if_none_match is not None and _has_match(if_none_match, etag):",
        "tests/flask/test_conditional.py::test_the_conditions_are_evaluated_in_their_order",
    ),
    Mutation(
        "an entity tag in a list is a whole member of it",
        f"{FLASK}/conditional.py",
        " and opaque in _MEMBER.findall(listed)",
        "",
        "tests/flask/test_conditional.py::test_a_client_names_the_answers_that_it_has",
    ),
    Mutation(
        "a detail cannot begin another header",
        f"{FLASK}/cache_status.py",
        '_UNPRINTABLE.sub("?", text)',
        "text",
        "tests/flask/test_cache_status.py::test_a_miss_says_why",
    ),
    Mutation(
        "what the rules refuse is not kept",
        f"{FLASK}/called.py",
        "    if reason is not None:\n        raise Unkept(reason",
        "    if reason == 0:\n        raise Unkept(reason",
        "tests/flask/test_variants.py tests/flask/test_defects.py",
    ),
    Mutation(
        "nobody waits for a page that is not kept",
        f"{FLASK}/fetch.py",
        '{**options, "wait": 0}',
        "options",
        "tests/flask/test_stale.py::test_pages_that_are_not_kept_are_made_side_by_side",
    ),
    Mutation(
        "requests with credentials are not answered from the cache",
        f"{FLASK}/visit.py",
        '        return "authorization" not in self._manner.rules.covers',
        "        return False",
        "tests/flask/test_variants.py::test_an_authorized_page_is_nobody_elses",
    ),
    Mutation(
        "hosts have pages of their own",
        f"{FLASK}/visit.py",
        "if variant == first.variant:\n            return self._given(first, self._key, self)",
        "if variant:\n            return self._given(first, self._key, self)",
        "tests/flask/test_variants.py::test_hosts_and_schemes_have_pages_of_their_own",
    ),
    Mutation(
        "to delete a page deletes its variants",
        f"{FLASK}/visit.py",
        "token or urandom(_TOKEN_SIZE).hex()",
        'token or "always the same"',
        "tests/flask/test_variants.py::test_deleting_a_page_deletes_it_in_all_languages",
    ),
    Mutation(
        "a view is known behind decorators that do not say what they wrap",
        f"{FLASK}/cached_view.py",
        "return role is Role.UNKNOWN and self.key.is_of_path",
        "return False",
        "tests/flask/test_corners.py",
    ),
    Mutation(
        "a function that a view calls does not wait for that view",
        f"{FLASK}/visit.py",
        "_busy.set(_busy.get() | {self._place()})",
        "_busy.set(_busy.get())",
        "tests/flask/test_private.py",
    ),
    Mutation(
        "a page that is stale is given to nobody else where the view fails",
        f"{FLASK}/visit.py",
        "            if old is not None and self._suits(old):",
        "            if old is not None:",
        "tests/flask/test_private.py",
    ),
    Mutation(
        "a stream that reads the session is not kept",
        f"{FLASK}/called.py",
        "    if is_stream:",
        "    if is_stream is None:",
        "tests/flask/test_private.py",
    ),
    Mutation(
        "a page is renewed under its own key",
        f"{FLASK}/visit.py",
        "        if behind.place != self._place():",
        "        if behind.place is None:",
        "tests/flask/test_private.py",
    ),
    Mutation(
        "another body has another tag",
        f"{FLASK}/finish.py",
        "    if response.response is not end.body:\n        _tag_anew(response, end)\n",
        "",
        "tests/flask/test_corners.py::test_an_after_request_that_changes_the_body_changes_the_etag",
    ),
    Mutation(
        "equal texts of two objects are two keys",
        f"{FLASK}/identity.py",
        "        return name, _token_of(value)",
        "        return name, repr(value)",
        "tests/flask/test_memoize_methods.py tests/flask/test_defects.py",
    ),
    Mutation(
        "a fragment without a name is told from others by what is in it",
        f"{FLASK}/entry.py",
        "    return [_FRAGMENT, text, mark] if mark else text",
        '    return [_FRAGMENT, text, ""] if mark else text',
        "tests/flask/test_fragments.py tests/flask/test_corners.py",
    ),
    Mutation(
        "lists of keys are not joined with what is in keys",
        f"{FLASK}/keys.py",
        "{_MARK}{canonical(varied)}",
        "{_MARK}{chr(95).join(map(str, varied))}",
        "tests/flask/test_defects.py",
    ),
    Mutation(
        "what is renewed behind a visitor is not the visitor's",
        f"{FLASK}/fetch.py",
        "        if self.caller != get_ident():",
        "        if False:",
        "tests/flask/test_corners.py",
    ),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code and the tests; the golden vectors stay where they are."""
    folder = tmp_path_factory.mktemp("mutants")
    ignored = shutil.ignore_patterns("__pycache__", "ketama")
    for name in ("kcache", "kcache_flask", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def run_tests(folder: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests],
        cwd=folder,
        env={
            **os.environ,
            "KCACHE_VECTORS": str(vectors.FOLDER),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "mutation", [*MUTATIONS, *FLASK_MUTATIONS], ids=lambda mutation: mutation.promise
)
def test_the_fault_is_found(mutation: Mutation, copy: Path) -> None:
    path = copy / "kcache" / mutation.file
    sound = path.read_text(encoding="utf-8")
    assert sound.count(mutation.right) == 1, "the fault no longer fits the code"
    path.write_text(sound.replace(mutation.right, mutation.wrong), encoding="utf-8")
    try:
        done = run_tests(copy, *mutation.finders.split())
    finally:
        path.write_text(sound, encoding="utf-8")
    assert done.returncode == 1, done.stdout
    assert " failed" in done.stdout or " error" in done.stdout


def test_without_a_fault_nothing_is_found(copy: Path) -> None:
    done = run_tests(copy, f"{RING}/test_murmur.py", f"{RING}/test_binary32.py")
    assert done.returncode == 0, done.stdout
