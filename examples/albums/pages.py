"""The pages, in HTML: a function for each."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as Redirect

from examples.albums import albums
from examples.albums.caching import ALBUMS, PICTURES, cache
from examples.albums.drawing import hills

__all__ = ["pages"]

pages = Blueprint("pages", __name__)


# `?sort=` makes another page; whatever else is added to the address, such as `?utm_source=`, not.
@pages.get("/")
@cache.cached(60, namespace=ALBUMS, query_string=["sort"], stale_ttl=30)
def index() -> str:
    """All albums."""
    order = request.args.get("sort", "title")
    return render_template("index.html", numbers=albums.numbers(order), order=order)


# There are too many searches to keep their pages, but each is made of cards that are kept.
@pages.get("/search")
def search() -> str:
    """The albums with some words in their titles."""
    words = request.args.get("q", "").strip()
    return render_template("search.html", numbers=albums.numbers(words=words), words=words)


@pages.get("/albums/<int:album_id>")
@cache.cached(60, namespace=ALBUMS, stale_ttl=30)
def album(album_id: int) -> str:
    """An album, with forms to change it."""
    return render_template("album.html", album=albums.found(album_id))


@pages.post("/albums/<int:album_id>/title")
def rename(album_id: int) -> Redirect:
    """Take the form that renames an album."""
    albums.rename(album_id, request.form.get("title"))
    return redirect(url_for("pages.album", album_id=album_id), 303)


@pages.post("/albums/<int:album_id>/photos")
def add_photo(album_id: int) -> Redirect:
    """Take the form that adds a photo."""
    albums.add_photo(album_id, request.form.get("title"), request.form.get("taken"))
    return redirect(url_for("pages.album", album_id=album_id), 303)


@pages.get("/photos/<int:photo_id>.svg")
@cache.cached(86400, namespace=PICTURES)
def picture(photo_id: int) -> Response:
    """A photo, which is drawn."""
    photo = albums.photo(photo_id)
    drawn = render_template("photo.svg", photo=photo, hills=hills(photo_id))
    return Response(drawn, mimetype="image/svg+xml")


# The pages around it stay: one picture is forgotten, and nothing else.
@pages.post("/photos/<int:photo_id>/paint")
def repaint(photo_id: int) -> Redirect:
    """Take the button that paints a photo in another colour."""
    album_id = albums.repaint(photo_id)
    cache.delete_cached(picture, photo_id=photo_id)
    return redirect(url_for("pages.album", album_id=album_id), 303)


@pages.context_processor
def readers() -> dict[str, object]:
    """What templates read by themselves."""
    return {"found": albums.found, "statistics": albums.statistics}


@pages.errorhandler(HTTPException)
def failed(error: HTTPException) -> ResponseReturnValue:
    """A page that says what went wrong."""
    return render_template("error.html", error=error), error.code or 500
