"""parse_redis_url: every scheme of the documentation, and what is refused."""

from __future__ import annotations

import re

import pytest

from flask_queue.redis_url import RedisUrl, parse_redis_url, url_of_parts

TWO = (("h1", 26379), ("h2", 1))


@pytest.mark.parametrize(
    ("url", "parsed"),
    [
        ("redis://", RedisUrl("single", hosts=(("127.0.0.1", 6379),))),
        ("redis://cache", RedisUrl("single", hosts=(("cache", 6379),))),
        ("redis://cache:1/", RedisUrl("single", hosts=(("cache", 1),))),
        ("redis://cache?db=4", RedisUrl("single", hosts=(("cache", 6379),), db=4)),
        ("redis://[::1]:7/2", RedisUrl("single", hosts=(("::1", 7),), db=2)),
        ("redis://u:p%40@c/1", RedisUrl("single", hosts=(("c", 6379),), db=1, username="u", password="p@")),
        ("redis://:p:q@c", RedisUrl("single", hosts=(("c", 6379),), password="p:q")),
        ("rediss://c?ssl_cert_reqs=none", RedisUrl("single", True, (("c", 6379),), options={"ssl_cert_reqs": "none"})),
        ("unix:///run/r.sock?db=3", RedisUrl("unix", path="/run/r.sock", db=3)),
        ("unix://u:p@/run/r.sock", RedisUrl("unix", path="/run/r.sock", username="u", password="p")),
        ("redis+sentinel://u:p@h1,h2:1/main/3", RedisUrl("sentinel", False, TWO, "", "main", 3, "u", "p")),
        ("rediss+sentinel://h1,h2:1/main", RedisUrl("sentinel", True, TWO, "", "main")),
        ("redis+cluster://h1,[::2]:7", RedisUrl("cluster", hosts=(("h1", 6379), ("::2", 7)))),
        ("rediss+cluster://h1/0", RedisUrl("cluster", True, (("h1", 6379),))),
        ("embedded://queue", RedisUrl("embedded", path="queue")),
        ("embedded://data/My%20Queue", RedisUrl("embedded", path="data/My Queue")),
        ("embedded:///var/lib/shop/queue", RedisUrl("embedded", path="/var/lib/shop/queue")),
    ],
)
def test_every_form(url: str, parsed: RedisUrl) -> None:
    """Each documented form gives its parts."""
    assert parse_redis_url(url) == parsed


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "redis://"),
        ("cache:6379", "redis://"),
        ("http://cache", "redis://"),
        ("redis+udp://cache", "redis://"),
        ("rediss+unix:///x", "redis://"),
        ("redis://cache/zero", "must be a number"),
        ("redis://cache/-1", "must be a number"),
        ("redis://cache:0", "from 1 to 65535"),
        ("redis://cache:65536", "from 1 to 65535"),
        ("redis://cache:port", "malformed"),
        ("redis://[::1", "malformed"),
        ("redis://a,b", "malformed"),
        ("redis://:p#ss@cache", "%23"),
        ("redis://:p/ss@cache", "%2F"),
        ("unix://run/r.sock", "absolute path"),
        ("unix://", "absolute path"),
        ("redis+sentinel://h1,h2", "name the service"),
        ("redis+sentinel://h1,/main", "a host is missing"),
        ("redis+sentinel://h1/main/x", "must be a number"),
        ("redis+cluster://", "a host is missing"),
        ("redis+cluster://h1/1", "only database 0"),
        ("embedded://", "name a folder"),
        ("embedded:///", "name a folder"),
        ("embedded:queue", "redis://"),
    ],
)
def test_wrong_addresses(url: str, told: str) -> None:
    """What no client could connect to is refused, with the remedy."""
    with pytest.raises(ValueError, match=re.escape(told)) as caught:
        parse_redis_url(url)
    assert "ss@cache" not in str(caught.value)


def test_parts_survive_the_round_trip() -> None:
    """Whatever a password holds, it comes out of the URL as it went in."""
    password = "a:b@c/d?e#f%g h,ü"
    url = url_of_parts("::1", 7, username="w@b", password=password, db=1)
    assert parse_redis_url(url) == RedisUrl("single", hosts=(("::1", 7),), db=1, username="w@b", password=password)
