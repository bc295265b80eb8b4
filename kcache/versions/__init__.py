"""The protocol of versioned entries: how a namespace is read, written and invalidated.

Each node holds a version record for each namespace in use: a random token (`kcache.record`). An
entry carries the tokens that its records had when it was made, from level 0, the node's own, to
the innermost namespace, and a digest of its place. It is alive while all of that is so:

* `invalidate` replaces a record's token, on every node; what has the old one is dead.
* A record that is absent equals none. So it may be evicted, or lost with its node, at any time.
* No token is sent twice, so that nothing which was dead comes to life again.

A read asks for the entry and its records at once, the entry first: a record that is read later is
no older than the entry, and a newer entry is never taken for a dead one.

A write looks at the records before it stores, in the same round trip. If its tokens were there, it
is done, whatever comes later; only if they were not, and so nobody can have seen what it stored,
may it store again. After a look that came later, it might bring back what somebody had read, and
then invalidated.
"""

from __future__ import annotations

from kcache.versions.changing import Change, Changing
from kcache.versions.filling import Filling, Lease
from kcache.versions.reading import RECORD_TTL, Seen, Tokens, joined
from kcache.versions.storing import Storing

__all__ = ["RECORD_TTL", "Change", "Lease", "Seen", "Tokens", "Versions", "joined"]


class Versions(Storing, Changing, Filling):
    """The protocol in one namespace."""
