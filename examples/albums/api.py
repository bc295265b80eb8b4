"""The API, in JSON: a class for each resource, a method for each thing that can be done with it.

GET   /albums[?sort=newest]    POST /albums               {"title": ...}
GET   /albums/1                PATCH /albums/1            {"title": ...}
                               POST /albums/1/photos      {"title": ..., "taken": "2026-07-31"}
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask.views import MethodView
from werkzeug.exceptions import HTTPException

from examples.albums import albums
from examples.albums.caching import ALBUMS, cache

__all__ = ["api"]

api = Blueprint("api", __name__)


class AlbumsView(MethodView):
    """All albums."""

    @cache.cached(60, namespace=ALBUMS, query_string=["sort"], stale_ttl=30)
    def get(self) -> list[dict[str, Any]]:
        """List them, each with its statistics."""
        return [_brief(number) for number in albums.numbers(request.args.get("sort", "title"))]

    def post(self) -> ResponseReturnValue:
        """Make one."""
        return _changed(albums.add_album(_field("title")), 201)


class AlbumView(MethodView):
    """One album."""

    @cache.cached(60, namespace=ALBUMS, stale_ttl=30)
    def get(self, album_id: int) -> dict[str, Any]:
        """Show it with its photos."""
        return {**albums.found(album_id), "statistics": albums.statistics(album_id)}

    def patch(self, album_id: int) -> ResponseReturnValue:
        """Rename it."""
        albums.rename(album_id, _field("title"))
        return _changed(album_id)


class PhotosView(MethodView):
    """The photos of one album."""

    def post(self, album_id: int) -> ResponseReturnValue:
        """Add one."""
        albums.add_photo(album_id, _field("title"), _field("taken"))
        return _changed(album_id, 201)


api.add_url_rule("/albums", view_func=AlbumsView.as_view("albums"))
api.add_url_rule("/albums/<int:album_id>", view_func=AlbumView.as_view("album"))
api.add_url_rule("/albums/<int:album_id>/photos", view_func=PhotosView.as_view("photos"))


@api.errorhandler(HTTPException)
def failed(error: HTTPException) -> ResponseReturnValue:
    """What went wrong, in JSON like everything here."""
    return {"error": error.description}, error.code or 500


def _brief(album_id: int) -> dict[str, Any]:
    title = albums.found(album_id)["title"]
    return {"id": album_id, "title": title, "statistics": albums.statistics(album_id)}


def _changed(album_id: int, status: int = 200) -> ResponseReturnValue:
    place = {"Location": url_for("api.album", album_id=album_id)}
    return albums.found(album_id), status, place


def _field(name: str) -> object:
    body = request.get_json()
    return body.get(name) if isinstance(body, dict) else None
