"""What can be done with albums. A change that pages show ends with what the cache has to forget.

The order is always the same: commit, then invalidate. What began to be computed before that is
never given after it.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import abort
from sqlalchemy import func, select

from examples.albums.caching import ALBUMS, cache
from examples.albums.database import Album, Photo, session

__all__ = ["add_album", "add_photo", "found", "numbers", "photo", "rename", "repaint", "statistics"]

_ORDERS = {"title": Album.title, "newest": Album.id.desc()}
_LONGEST_TITLE = 80


def numbers(order: str = "title", words: str = "") -> list[int]:
    """The ids of the albums whose titles have these words in them."""
    wanted = select(Album.id).order_by(_ORDERS.get(order, Album.title))
    if words:
        wanted = wanted.where(Album.title.icontains(words, autoescape=True))
    with session() as opened:
        return list(opened.scalars(wanted))


def found(album_id: int) -> dict[str, Any]:
    """An album with its photos."""
    with session() as opened:
        album = opened.get(Album, album_id) or abort(404, "There is no such album.")
        photos = [
            {"id": photo.id, "title": photo.title, "taken": f"{photo.taken}"}
            for photo in album.photos
        ]
        return {"id": album.id, "title": album.title, "photos": photos}


@cache.memoize(300, namespace=ALBUMS)
def statistics(album_id: int) -> dict[str, Any]:
    """How many photos an album has, and of which days: what a page asks for again and again."""
    taken = Photo.taken
    query = select(func.count(), func.min(taken), func.max(taken)).where(Photo.album_id == album_id)
    with session() as opened:
        count, first, last = opened.execute(query).one()
    return {"photos": count, "first": first and f"{first}", "last": last and f"{last}"}


def photo(photo_id: int) -> dict[str, Any]:
    """What is needed to draw a photo."""
    with session() as opened:
        one = opened.get(Photo, photo_id) or abort(404, "There is no such photo.")
        return {"id": one.id, "title": one.title, "hue": one.hue}


def add_album(title: object) -> int:
    """Make an album without photos; its id."""
    with session() as opened, opened.begin():
        album = Album(title=_checked_title(title))
        opened.add(album)
        opened.flush()
        album_id = album.id
    cache.namespace(ALBUMS).invalidate()
    return album_id


def rename(album_id: int, title: object) -> None:
    """Give an album another title."""
    with session() as opened, opened.begin():
        album = opened.get(Album, album_id) or abort(404, "There is no such album.")
        album.title = _checked_title(title)
    cache.namespace(ALBUMS).invalidate()


def add_photo(album_id: int, title: object, taken: object) -> int:
    """Put a photo into an album; its id."""
    with session() as opened, opened.begin():
        album = opened.get(Album, album_id) or abort(404, "There is no such album.")
        one = Photo(title=_checked_title(title), taken=_checked_day(taken), hue=album_id * 70 % 360)
        album.photos.append(one)
        opened.flush()
        photo_id = one.id
    cache.namespace(ALBUMS).invalidate()
    return photo_id


def repaint(photo_id: int) -> int:
    """Give a photo another colour; the id of its album, which does not change by that."""
    with session() as opened, opened.begin():
        one = opened.get(Photo, photo_id) or abort(404, "There is no such photo.")
        one.hue = (one.hue + 80) % 360
        return one.album_id


def _checked_title(title: object) -> str:
    if not isinstance(title, str) or not 1 <= len(title.strip()) <= _LONGEST_TITLE:
        abort(400, f"A title has 1 to {_LONGEST_TITLE} characters.")
    return title.strip()


def _checked_day(day: object) -> date:
    try:
        return date.fromisoformat(f"{day}")
    except ValueError:
        abort(400, "A day is written like 2026-07-31.")
