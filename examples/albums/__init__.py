"""Albums of photos: a small application of Flask, with a cache in it.

python -m examples.albums
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Flask

from examples.albums import database
from examples.albums.api import api
from examples.albums.caching import cache
from examples.albums.pages import pages

__all__ = ["create_app"]


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """An application of its own, with its own database and cache.

    Args:
        config: comes before the environment. `KCACHE_NODES` are the nodes of the cache, without
            which it lives in this process; `DATABASE` is a file, without which it is temporary.
    """
    app = Flask(__name__)
    app.config["KCACHE_NODES"] = os.environ.get("KCACHE_NODES") or None
    app.config["DATABASE"] = os.environ.get("ALBUMS_DATABASE")
    app.config.from_mapping(config)

    cache.init_app(app)
    if database.open_on(app):
        # What the nodes still have was made from another database.
        with app.app_context():
            cache.invalidate()

    app.register_blueprint(pages)
    app.register_blueprint(api, url_prefix="/api/v1")
    app.add_template_global(_now, "now")
    return app


def _now() -> str:
    return datetime.now(UTC).strftime("%H:%M:%S.%f")
