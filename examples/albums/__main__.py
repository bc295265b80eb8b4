"""Serves the albums on this machine, at port 5000 or the one that the variable PORT says."""

import os

from examples.albums import create_app

__all__: list[str] = []

if __name__ == "__main__":
    create_app().run(port=int(os.environ.get("PORT", "5000")))
