"""The files of the page: complete, with a strict policy, and sent again only when they change."""

from __future__ import annotations

import re

import pytest
from speech_server import Running, run_server

from asr.recognizer import Recognizer
from asr.server.static_files import MEDIA_TYPES, StaticFile, page_files

PAGE = page_files("index.html")


def test_every_file_is_served_with_its_type_and_a_strict_policy(server: Running) -> None:
    for path, file in PAGE.items():
        status, headers, body = server.request("GET", path)
        assert (status, body) == (200, file.content)
        suffix = ".html" if path == "/" else path[path.rindex(".") :]
        assert headers["content-type"] == MEDIA_TYPES[suffix]
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'self'; ") and "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["permissions-policy"].startswith("microphone=(self)")


def test_an_unchanged_file_is_not_sent_again(server: Running) -> None:
    headers = server.request("GET", "/")[1]
    assert headers["cache-control"] == "no-cache"
    for known in (headers["etag"], f'"other", W/{headers["etag"]}'):
        status, found, body = server.request("GET", "/", headers={"If-None-Match": known})
        assert (status, body, found["etag"]) == (304, b"", headers["etag"])
    assert server.request("GET", "/", headers={"If-None-Match": '"other"'})[0] == 200
    assert StaticFile(b"a", "text/css").etag != StaticFile(b"b", "text/css").etag


def test_only_the_files_of_the_page_are_served(server: Running) -> None:
    for path in (
        "/static/",
        "/static/index.html",
        "/static/../guard.py",
        "/static/%2e%2e/guard.py",
    ):
        assert server.request("GET", path)[0] == 404
    assert server.request("POST", "/")[0] == 405
    assert server.request("HEAD", "/")[::2] == (200, b"")


def test_the_page_needs_no_key_but_its_requests_do(small: Recognizer) -> None:
    with run_server(small, api_key="secret", workers=1, voice=None) as strict:
        for path in PAGE:
            assert strict.request("GET", path)[0] == 200
        for method, path in (("GET", "/page/about"), ("POST", "/page/transcripts")):
            assert strict.request(method, path)[0] == 401
        assert strict.request("GET", "/static/nothing.js")[0] == 401


@pytest.mark.parametrize("path", [path for path in PAGE if path.endswith((".js", ".css", "/"))])
def test_files_name_only_files_of_the_page(path: str) -> None:
    content = PAGE[path].content.decode()
    named = re.findall(r'(?:from|import|src=|href=|addModule\()\s*"([^"]+)"', content)
    for name in named:
        assert (name if name.startswith("/") else f"/static/{name.removeprefix('./')}") in PAGE
    # Nothing is loaded from elsewhere; the namespace of SVG is a name.
    assert re.findall(r"https?://(?!www\.w3\.org/)[\w.]+", content) == []
    assert "innerHTML" not in content and "eval(" not in content
    assert path != "/" or not re.search(r"<style|style=|<script(?![^>]* src=)| on\w+=", content)
