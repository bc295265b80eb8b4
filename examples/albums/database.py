"""The tables, and where they are. Nothing here knows of the cache."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from datetime import date
from pathlib import Path

from flask import Flask, current_app
from sqlalchemy import ForeignKey, create_engine, inspect
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import NullPool

__all__ = ["Album", "Photo", "open_on", "session"]


class Base(DeclarativeBase):
    """What all tables share."""


class Album(Base):
    """Photos that belong together."""

    __tablename__ = "albums"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    photos: Mapped[list[Photo]] = relationship(order_by="Photo.taken, Photo.id", lazy="selectin")


class Photo(Base):
    """A picture, which is drawn in a colour."""

    __tablename__ = "photos"

    id: Mapped[int] = mapped_column(primary_key=True)
    album_id: Mapped[int] = mapped_column(ForeignKey("albums.id"), index=True)
    title: Mapped[str]
    taken: Mapped[date]
    hue: Mapped[int]


def open_on(app: Flask) -> bool:
    """Open the database of an app; whether it is a new one, which is given a few albums."""
    path = app.config["DATABASE"] or f"{_temporary_folder()}/albums.db"
    # Every session has a connection of its own, and closes it.
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    app.extensions["database"] = engine
    if inspect(engine).has_table(Album.__tablename__):
        return False
    Base.metadata.create_all(engine)
    with Session(engine) as opened, opened.begin():
        opened.add_all(_first_albums())
    return True


def session() -> Session:
    """A new session on the database of the current app, for a `with`."""
    return Session(current_app.extensions["database"])


def _temporary_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="albums-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _first_albums() -> list[Album]:
    return [
        _album("A week in the Alps", 2026, 7, "The hut", "Before sunrise", "On the ridge", "Home"),
        _album("Lofoten", 2026, 2, "The last ferry", "Blue hour", "Northern light"),
        _album("Tuscany by train", 2025, 5, "Vineyards", "Noon", "Cypresses", "The slow train"),
        _album("Sunday walks", 2025, 10, "Fog", "Leaves"),
    ]


def _album(title: str, year: int, month: int, *photos: str) -> Album:
    taken = [
        Photo(title=photo, taken=date(year, month, 2 + 3 * i), hue=(37 * month + 48 * i) % 360)
        for i, photo in enumerate(photos)
    ]
    return Album(title=title, photos=taken)
