"""The albums: every page is kept, and whatever is changed is seen on all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from examples.albums import albums, create_app
from examples.albums.caching import cache
from tests.servers import Memcached, Redis, kill, memcached, redis

Opener = Callable[[list[str] | None, Path], FlaskClient]

KEPT = ["/", "/?sort=newest", "/albums/1", "/photos/1.svg", "/api/v1/albums", "/api/v1/albums/1"]
SHOWING_TITLES = ["/", "/?sort=newest", "/search?q=alp", "/albums/1"]
JSON_SHOWING_TITLES = ["/api/v1/albums", "/api/v1/albums?sort=newest", "/api/v1/albums/1"]


@pytest.fixture(params=["memory", "redis", "memcached", "both"])
def nodes(
    request: pytest.FixtureRequest,
    redises: tuple[Redis, ...],
    memcacheds: tuple[Memcached, ...],
) -> list[str] | None:
    kinds = {
        "memory": [],
        "redis": redises[:2],
        "memcached": memcacheds[:2],
        "both": [redises[0], memcacheds[0]],
    }
    return [server.url for server in kinds[request.param]] or None


@pytest.fixture
def opened() -> Iterator[Opener]:
    """Makes clients of apps, whose connections are closed in the end."""
    with ExitStack() as stack:

        def made(nodes: list[str] | None, database: Path) -> FlaskClient:
            app = create_app({"KCACHE_NODES": nodes, "DATABASE": f"{database}", "TESTING": True})
            with app.app_context():
                stack.callback(cache.cache.close)
            return app.test_client()

        yield made


@pytest.fixture
def client(opened: Opener, nodes: list[str] | None, tmp_path: Path) -> FlaskClient:
    return opened(nodes, tmp_path / "albums.db")


def is_hit(response: TestResponse) -> bool:
    return "; hit" in response.headers["Cache-Status"]


@pytest.mark.parametrize("page", KEPT)
def test_the_second_view_of_a_page_is_a_hit(client: FlaskClient, page: str) -> None:
    first, second = client.get(page), client.get(page)
    assert first.status_code == second.status_code == 200
    assert (is_hit(first), is_hit(second)) == (False, True)
    assert second.data == first.data
    assert second.content_type == first.content_type


@pytest.mark.parametrize("page", KEPT)
def test_what_a_browser_has_is_not_sent_again(client: FlaskClient, page: str) -> None:
    etag = client.get(page).headers["ETag"]
    again = client.get(page, headers={"If-None-Match": etag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
    assert is_hit(again)


def test_a_link_with_a_campaign_leads_to_the_same_page(client: FlaskClient) -> None:
    client.get("/?sort=newest")
    assert is_hit(client.get("/?utm_source=mail&sort=newest"))
    assert not is_hit(client.get("/?sort=title"))


def test_a_head_is_answered_from_what_a_get_left(client: FlaskClient) -> None:
    length = client.get("/").headers["Content-Length"]
    head = client.head("/")
    assert is_hit(head)
    assert (head.data, head.headers["Content-Length"]) == (b"", length)


def test_a_search_is_made_anew_of_cards_that_are_kept(client: FlaskClient) -> None:
    first, second = (client.get("/search?q=alp").text for _ in range(2))
    assert first != second
    assert times(first)[:-1] == times(second)[:-1] != []
    assert times(first)[-1] != times(second)[-1]


def times(page: str) -> list[str]:
    """When the cards of a page were made, and then the page."""
    return [part.split("</time>")[0] for part in page.split("made at <time>")[1:]]


def test_a_form_that_renames_is_seen_everywhere_at_once(client: FlaskClient) -> None:
    view_all(client)
    answer = client.post("/albums/1/title", data={"title": " Peaks of the Alps "})
    assert (answer.status_code, answer.location) == (303, "/albums/1")
    for page in SHOWING_TITLES:
        text = client.get(page).text
        assert "Peaks of the Alps" in text, page
        assert "A week in the Alps" not in text, page
    for page in JSON_SHOWING_TITLES:
        assert "Peaks of the Alps" in titles(client, page), page


def test_a_rename_by_the_api_is_seen_everywhere_at_once(client: FlaskClient) -> None:
    view_all(client)
    answer = client.patch("/api/v1/albums/1", json={"title": "<Alpine> & more"})
    assert (answer.status_code, body(answer)["title"]) == (200, "<Alpine> & more")
    for page in SHOWING_TITLES:
        assert "&lt;Alpine&gt; &amp; more" in client.get(page).text, page
    for page in JSON_SHOWING_TITLES:
        assert "<Alpine> & more" in titles(client, page), page


@pytest.mark.parametrize("page", ["/", "/search?q="])
def test_a_rename_while_a_page_is_made_is_not_lost(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    found = albums.found

    def overtaken(album_id: int) -> dict[str, Any]:
        read = found(album_id)
        if album_id == 1:
            client.application.test_client().post("/albums/1/title", data={"title": "Peaks"})
        return read

    with monkeypatch.context() as patched:
        patched.setattr(albums, "found", overtaken)
        client.get(page)
    assert "Peaks" in client.get(page).text


def test_a_photo_is_seen_everywhere_at_once(client: FlaskClient) -> None:
    view_all(client)
    photo = {"title": "The summit", "taken": "2026-08-01"}
    assert client.post("/albums/1/photos", data=photo).status_code == 303
    assert client.post("/api/v1/albums/1/photos", json=photo).status_code == 201
    for page in SHOWING_TITLES:
        assert "6 photos" in client.get(page).text, page
    assert client.get("/albums/1").text.count("<h2>The summit</h2>") == 2
    shown = body(client.get("/api/v1/albums/1"))
    assert [photo["title"] for photo in shown["photos"]][-2:] == ["The summit"] * 2
    expected = {"photos": 6, "first": "2026-07-02", "last": "2026-08-01"}
    assert shown["statistics"] == expected
    assert body(client.get("/api/v1/albums"))[0]["statistics"] == expected


def test_an_album_is_there_at_once(client: FlaskClient) -> None:
    view_all(client)
    assert client.get("/albums/5").status_code == 404
    assert client.get("/api/v1/albums/5").status_code == 404
    answer = client.post("/api/v1/albums", json={"title": "Night trains"})
    assert (answer.status_code, answer.location) == (201, "/api/v1/albums/5")
    assert "Night trains" in client.get("/").text
    assert "Night trains" in client.get("/albums/5").text
    assert body(client.get("/api/v1/albums/5"))["statistics"]["photos"] == 0
    assert "Night trains" in client.get("/search?q=night").text


def test_a_painted_photo_changes_and_nothing_else_is_forgotten(client: FlaskClient) -> None:
    view_all(client)
    first = client.get("/photos/1.svg")
    answer = client.post("/photos/1/paint")
    assert (answer.status_code, answer.location) == (303, "/albums/1")
    again = client.get("/photos/1.svg", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 200
    assert again.data != first.data
    assert is_hit(client.get("/photos/2.svg"))
    assert is_hit(client.get("/albums/1"))


def test_a_change_of_an_album_leaves_the_pictures(client: FlaskClient) -> None:
    view_all(client)
    client.post("/albums/1/title", data={"title": "Peaks"})
    assert is_hit(client.get("/photos/1.svg"))


@pytest.mark.parametrize("title", ["", "  ", "x" * 81])
def test_a_title_that_cannot_be_is_refused_and_changes_nothing(
    client: FlaskClient, title: str
) -> None:
    view_all(client)
    page = client.post("/albums/1/title", data={"title": title})
    assert (page.status_code, "1 to 80 characters" in page.text) == (400, True)
    answer = client.patch("/api/v1/albums/1", json={"title": title})
    assert answer.status_code == 400
    assert body(answer) == {"error": "A title has 1 to 80 characters."}
    assert is_hit(client.get("/albums/1"))


@pytest.mark.parametrize("sent", [7, [], {}, {"title": 7}, {"title": "Fine"}])
def test_a_body_that_cannot_be_is_refused(client: FlaskClient, sent: object) -> None:
    assert client.post("/api/v1/albums/1/photos", json=sent).status_code == 400
    assert client.post("/api/v1/albums/1/photos", data="{").status_code == 415


def test_what_is_not_there_is_a_404(client: FlaskClient) -> None:
    photo = {"title": "The summit", "taken": "2026-08-01"}
    assert client.get("/albums/99").status_code == 404
    assert client.get("/photos/99.svg").status_code == 404
    assert client.post("/photos/99/paint").status_code == 404
    assert client.post("/albums/99/title", data=photo).status_code == 404
    assert client.post("/api/v1/albums/99/photos", json=photo).status_code == 404
    assert body(client.get("/api/v1/albums/99")) == {"error": "There is no such album."}


def test_two_apps_on_the_same_nodes_and_database_are_one(
    opened: Opener,
    redises: tuple[Redis, ...],
    memcacheds: tuple[Memcached, ...],
    tmp_path: Path,
) -> None:
    nodes = [redises[0].url, memcacheds[0].url]
    one, other = (opened(nodes, tmp_path / "albums.db") for _ in range(2))
    view_all(one)
    assert is_hit(other.get("/albums/1"))
    other.post("/albums/1/title", data={"title": "Peaks of the Alps"})
    for page in SHOWING_TITLES:
        assert "Peaks of the Alps" in one.get(page).text, page


def test_pages_come_and_change_while_all_servers_are_down(opened: Opener, tmp_path: Path) -> None:
    with redis() as one, memcached() as other:
        client = opened([one.url, other.url], tmp_path / "albums.db")
        view_all(client)
        kill(one)
        kill(other)
        view_all(client)
        assert (
            client.post("/albums/1/title", data={"title": "Peaks of the Alps"}).status_code == 303
        )
        for page in SHOWING_TITLES:
            assert "Peaks of the Alps" in client.get(page).text, page


def test_a_new_database_is_not_shown_with_the_pages_of_another(
    opened: Opener, redises: tuple[Redis, ...], tmp_path: Path
) -> None:
    nodes = [redises[0].url]
    old = opened(nodes, tmp_path / "old.db")
    old.post("/albums/1/title", data={"title": "Peaks"})
    view_all(old)
    new = opened(nodes, tmp_path / "new.db")
    for page in SHOWING_TITLES:
        assert "Peaks" not in new.get(page).text, page


def test_without_configuration_the_database_is_temporary(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("KCACHE_NODES", "ALBUMS_DATABASE"):
        monkeypatch.delenv(name, raising=False)
    one, other = (create_app().test_client() for _ in range(2))
    one.post("/albums/1/title", data={"title": "Peaks"})
    assert "A week in the Alps" in other.get("/").text


def view_all(client: FlaskClient) -> None:
    for page in (*KEPT, *SHOWING_TITLES, *JSON_SHOWING_TITLES, "/photos/2.svg"):
        assert client.get(page).status_code == 200


def titles(client: FlaskClient, page: str) -> list[str]:
    found = body(client.get(page))
    return [album["title"] for album in (found if isinstance(found, list) else [found])]


def body(response: TestResponse) -> Any:
    return response.get_json()
