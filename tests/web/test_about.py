"""The page about versions, Redis, settings and the visitor: it tells what operators ask for, and no secret."""

from __future__ import annotations

import platform
import re
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from flask_queue import FlaskQueue, Queue
from flask_queue.admin.settings import settings
from flask_queue.config import Config
from flask_queue.redact import HIDDEN
from flask_queue.versions import installed
from tests.servers import RedisServer

from .conftest import HOME, MakeApp
from .test_access import basic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask.testing import FlaskClient

PAGE = f"{HOME}about/"


def words(text: str) -> str:
    """What the page says, without its tags."""
    main = text.partition('id="fq-live"')[2].partition("<dialog")[0].replace("<wbr>", "")
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", main).split()))


def shown(**values: Any) -> Mapping[str, str]:
    """Key → value as shown, of an app with these settings."""
    app = Flask("acme")
    app.config.update(values)
    return {each.key: each.value for each in settings(Config.from_app(app, [Queue("default")]))}


def test_versions_and_the_server_are_told(visitor: FlaskClient, redis_server: RedisServer) -> None:
    """With what an operator asks for first: address, memory, eviction, persistence, clients."""
    text = words(visitor.get(PAGE).text)
    for name in ("flask-queue", "dramatiq", "redis", "Flask", "Flask-Admin"):
        assert f"{name} {installed(name)}" in text
    assert f"Python {platform.python_version()}" in text
    with redis_server.client() as client:
        info = client.info()
    assert f"Server Redis {info['redis_version']}" in text or f"Server Valkey {info.get('valkey_version')}" in text
    assert "Mode standalone, master" in text
    assert f"Address {redis_server.folder}" in text
    assert re.search(r"Memory [\d.]+ \w+ without a limit", text)
    assert "Eviction noeviction" in text
    assert "Key prefix flask-queue" in text


def test_checks_name_what_is_wrong_and_the_remedy() -> None:
    """A server that keeps nothing and may evict jobs."""
    with RedisServer(maxmemory="50mb", options={"maxmemory-policy": "allkeys-lru"}) as server:
        app = Flask("acme")
        app.config.update(SECRET_KEY="x", TESTING=True, QUEUE_REDIS_URL=server.url)
        FlaskQueue(app)
        text = words(app.test_client().get(PAGE).text)
    assert "error the eviction policy is allkeys-lru" in text
    assert "Set maxmemory-policy to noeviction." in text
    assert "error the server keeps nothing" in text
    assert re.search(r"Memory [\d.]+ \w+ of 50\.0 MiB \(\d+%\)", text)


def test_a_server_that_tells_nothing_is_told_of() -> None:
    """A provider may forbid INFO and CONFIG: the rest of the page is there all the same."""
    with RedisServer() as server:
        with server.client() as client:
            rights = ["+@all", "-info", "-config"]
            client.acl_setuser("app", enabled=True, passwords=["+hush"], keys=["*"], commands=rights)
        app = Flask("acme")
        app.config.update(SECRET_KEY="x", TESTING=True)
        app.config.update(QUEUE_REDIS_URL=server.url.replace("unix://", "unix://app:hush@"))
        FlaskQueue(app)
        answer = app.test_client().get(PAGE)
    assert answer.status_code == 200
    text = words(answer.text)
    assert "does not let its user do what is needed" in text
    assert "warning could not be read" in text
    assert "QUEUE_LEASE_S 15" in text
    assert "hush" not in answer.text


def test_redis_away_is_a_503(make_app: MakeApp) -> None:
    """As on every page."""
    app = make_app(QUEUE_REDIS_URL="redis://127.0.0.1:1/0")
    assert app.test_client().get(PAGE).status_code == 503


def test_the_visitor_reads_who_they_are_and_what_they_may(make_app: MakeApp) -> None:
    """And by which rule."""
    app = make_app(QUEUE_DASHBOARD_USERNAME="ann", QUEUE_DASHBOARD_PASSWORD="hush")
    text = app.test_client().get(PAGE, headers=basic("ann", "hush")).text
    assert "In the trail ann You may look at everything, and change it By HTTP Basic" in words(text)
    assert "hush" not in text
    app = make_app(QUEUE_DASHBOARD_ACCESS=lambda: "read")
    text = words(app.test_client().get(PAGE).text)
    assert "You may look at everything, and change nothing" in text
    assert "By QUEUE_DASHBOARD_ACCESS" in text
    text = words(make_app(SECRET_KEY=None).test_client().get(PAGE).text)
    assert "the app has no SECRET_KEY" in text


def test_every_setting_is_shown() -> None:
    """None is forgotten, and each value reads as it is written."""
    told = shown(QUEUE_LEASE_S=20, QUEUE_BACKOFF=[1, 2.5], QUEUE_REDACT=["iban"], QUEUE_DASHBOARD_ACCESS=words)
    keys = {f"QUEUE_{name.upper()}" for name in Config.__dataclass_fields__} - {"QUEUE_REDIS_CONFIGURED"}
    assert set(told) == keys - {"QUEUE_QUEUES"} | {"QUEUES"}
    assert told["QUEUES"] == "default: 2"
    assert told["QUEUE_LEASE_S"] == "20"
    assert told["QUEUE_BACKOFF"] == "1, 2.5 s"
    assert told["QUEUE_KEEP_COMPLETED"] == "10000"
    assert told["QUEUE_REDACT"] == "iban"
    assert told["QUEUE_DASHBOARD_ACCESS"] == f"{__name__}:words"
    assert shown()["QUEUE_BACKOFF"] == "exponential, 5 to 3600 s"


def test_what_is_set_and_what_is_default_is_told() -> None:
    """So that an operator sees what was changed."""
    app = Flask("acme")
    app.config.update(QUEUE_LEASE_S=20, QUEUE_REDIS_URL="redis://h/1")
    origin = {each.key: each.is_default for each in settings(Config.from_app(app))}
    assert not origin["QUEUE_LEASE_S"]
    assert not origin["QUEUE_REDIS_URL"]
    assert origin["QUEUE_TIMEOUT_S"]
    assert origin["QUEUE_DASHBOARD_PASSWORD"]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://:hush@host:6380/2", f"redis://:{HIDDEN}@host:6380/2"),
        ("rediss://ann:hush@host/2", f"rediss://ann:{HIDDEN}@host/2"),
        ("redis://h%75sh:hush%40@host", f"redis://h%75sh:{HIDDEN}@host"),
        ("redis://ann@host", "redis://ann@host"),
        ("unix://:hush@/run/redis.sock?db=3", f"unix://:{HIDDEN}@/run/redis.sock?db=3"),
        (
            "redis+sentinel://ann:hush@a,b/main/0?sentinel_password=hush&sentinel_username=bob",
            f"redis+sentinel://ann:{HIDDEN}@a,b/main/0?sentinel_password={HIDDEN}&sentinel_username=bob",
        ),
        ("rediss://host?ssl_ca_certs=/etc/ca.pem&ssl_password=hush", None),
        ("embedded://queue", "embedded://queue"),
    ],
)
def test_the_address_is_shown_without_its_password(url: str, told: str | None) -> None:
    """Whatever form it has; options have secrets too."""
    found = shown(QUEUE_REDIS_URL=url)["QUEUE_REDIS_URL"]
    assert told is None or found == told
    assert "hush" not in found


def test_secrets_are_hidden_whatever_is_redacted() -> None:
    """QUEUE_REDACT replaces the words for payloads; a password of ours stays one."""
    told = shown(QUEUE_DASHBOARD_USERNAME="ann", QUEUE_DASHBOARD_PASSWORD="hush", QUEUE_REDACT=["prefix"])
    assert (told["QUEUE_DASHBOARD_USERNAME"], told["QUEUE_DASHBOARD_PASSWORD"]) == ("ann", HIDDEN)
    assert told["QUEUE_PREFIX"] == HIDDEN


def test_settings_are_escaped(make_app: MakeApp) -> None:
    """They may come from an environment."""
    evil = "<script>alert(1)</script>"
    text = make_app(QUEUE_PREFIX=evil, QUEUE_REDACT=[evil]).test_client().get(PAGE).text
    assert evil not in text
    assert "&lt;script&gt;" in text
