"""The defects of Flask-Caching, a scenario each; kcache_flask must have none of them.

    for scenario in DEFECTS:
        scenario.verdict(Extension("kcache_flask"))

`python -m benchmarks.flask_defects` runs them on both.
"""

from __future__ import annotations

from tests.flask.calls import CALLS
from tests.flask.overtaking import OVERTAKING
from tests.flask.pages import PAGES

__all__ = ["DEFECTS"]

DEFECTS = (*PAGES, *OVERTAKING, *CALLS)
