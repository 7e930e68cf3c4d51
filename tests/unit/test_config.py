"""Config.from_app: where settings come from, what they may be, and how faults are told."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from flask_queue.backoff import Backoff
from flask_queue.config import DEFAULT_BACKOFF, Config, Queue, RateLimit
from flask_queue.errors import ConfigError

Read = Callable[..., Config]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for key in list(os.environ):
        if key.startswith(("QUEUE", "REDIS_", "FLASK_")):
            monkeypatch.delenv(key)
    monkeypatch.chdir(tmp_path)


def read(*queues: object, **settings: object) -> Config:
    app = Flask("shop")
    app.config.update(settings)
    return Config.from_app(app, queues)


def faults(*queues: object, **settings: object) -> str:
    with pytest.raises(ConfigError) as caught:
        read(*queues, **settings)
    return "\n".join(caught.value.faults)


def test_defaults() -> None:
    """Nothing configured means 127.0.0.1:6379 and the documented defaults."""
    config = read()
    assert config == Config()
    assert (config.redis_url, config.redis_configured) == ("redis://127.0.0.1:6379/0", False)
    assert dict(config.queues) == {"default": Queue("default", concurrency=2)}
    assert (config.max_payload_bytes, config.max_result_bytes) == (1_048_576, 65_536)
    assert (config.keep_completed_s, config.keep_failed_s) == (86_400, 1_209_600)
    assert " ".join(config.redact) == "password passwd secret token api_key authorization cookie card cvv"


def test_app_config_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """app.config comes first, os.environ second, the .env file third, the default last."""
    Path(".env").write_text("QUEUE_MAX_RETRIES=1\nQUEUE_LEASE_S=11\nQUEUE_PREFIX=file\n")
    monkeypatch.setenv("QUEUE_MAX_RETRIES", "2")
    monkeypatch.setenv("QUEUE_LEASE_S", "22")
    config = read(QUEUE_MAX_RETRIES=3)
    assert (config.max_retries, config.lease_s, config.prefix) == (3, 22.0, "file")


def test_the_dotenv_file_is_found_as_flask_finds_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The nearest .env upwards counts, over a .flaskenv, and os.environ is not changed."""
    (tmp_path / ".flaskenv").write_text("QUEUE_PREFIX=flaskenv\nQUEUE_LEASE_S=33\n")
    (tmp_path / ".env").write_text("QUEUE_PREFIX=dotenv\n")
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    config = read()
    assert (config.prefix, config.lease_s) == ("dotenv", 33.0)
    assert "QUEUE_PREFIX" not in os.environ


def test_flask_skip_dotenv_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who tells Flask to leave .env alone means every part of the app."""
    Path(".env").write_text("QUEUE_PREFIX=dotenv\n")
    monkeypatch.setenv("FLASK_SKIP_DOTENV", "1")
    assert read().prefix == "flask-queue"


def test_an_unreadable_dotenv_file_is_a_fault() -> None:
    """A .env file that is not UTF-8 is told as a fault, not as a traceback."""
    Path(".env").write_bytes(b"QUEUE_PREFIX=\xff\xfe\n")
    assert "the .env file cannot be read" in faults()


def test_empty_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable in a compose file must not hide the default."""
    monkeypatch.setenv("QUEUE_REDIS_URL", " ")
    monkeypatch.setenv("QUEUE_MAX_RETRIES", "")
    config = read(QUEUE_PREFIX="", QUEUE_TIMEOUT_S=None)
    assert config == Config()


def test_every_fault_is_in_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three wrong settings give three faults, each with its key, its place, its value and what to give."""
    monkeypatch.setenv("QUEUE_LEASE_S", "soon")
    told = faults(QUEUE_MAX_RETRIES=-1, QUEUE_PREFIX="a{b}")
    assert len(told.splitlines()) == 3
    assert "QUEUE_LEASE_S (environment) is 'soon': give a number of seconds, at least 1" in told
    assert "QUEUE_MAX_RETRIES (app.config) is -1: give a whole number of at least 0" in told
    assert "braces" in told


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("QUEUE_DISPATCH_TIMEOUT_S", "0.5", "0"),
        ("QUEUE_SOCKET_TIMEOUT_S", "5", "-1"),
        ("QUEUE_MAX_RETRIES", "0", "1.5"),
        ("QUEUE_BACKOFF", "[0, 1.5, 60]", "[1, -2]"),
        ("QUEUE_TIMEOUT_S", "60", "nan"),
        ("QUEUE_AFTER_COMMIT", "yes", "maybe"),
        ("QUEUE_MAX_PAYLOAD_BYTES", "1", "1 MiB"),
        ("QUEUE_MAX_RESULT_BYTES", "0", "-1"),
        ("QUEUE_PREFIX", "shop", "shop{1}"),
        ("QUEUE_KEEP_COMPLETED", "0", "many"),
        ("QUEUE_KEEP_FAILED", "7", "-7"),
        ("QUEUE_KEEP_COMPLETED_S", "0", "inf"),
        ("QUEUE_KEEP_FAILED_S", "1e6", "1e10"),
        ("QUEUE_LEASE_S", "1", "0.5"),
        ("QUEUE_MAX_RECOVERIES", "0", "x"),
        ("QUEUE_SHUTDOWN_TIMEOUT_S", "30", "0"),
        ("QUEUE_DASHBOARD", "off", "maybe"),
        ("QUEUE_DASHBOARD_ACCESS", "shop.auth:access", "shop.auth"),
        ("QUEUE_REDIS_URL", "rediss://h:1/2", "http://h"),
        ("REDIS_URL", "unix:///run/redis.sock", "redis://h:x"),
        ("REDIS_HOST", "cache", "cache:6379"),
        ("REDIS_PORT", "6380", "tcp://10.0.0.1:6379"),
        ("REDIS_DB", "3", "three"),
        ("QUEUES", '{"emails": 4}', "{emails: 4}"),
        ("QUEUE_CONCURRENCY_DEFAULT", "4", "0"),
    ],
)
def test_each_key_is_checked(monkeypatch: pytest.MonkeyPatch, key: str, good: str, bad: str) -> None:
    """Each key takes its right values from the environment, and a wrong one is a fault that names the key."""
    monkeypatch.setenv(key, good)
    read()
    monkeypatch.setenv(key, bad)
    assert faults().startswith(f"{key} (environment)")


@pytest.mark.parametrize("word", ["1", "true", "YES", "on", True, 1])
def test_words_for_yes(word: object) -> None:
    """Booleans may be written as environments write them."""
    assert read(QUEUE_DASHBOARD=word).dashboard is True


@pytest.mark.parametrize("word", ["0", "False", "no", "OFF", False, 0])
def test_words_for_no(word: object) -> None:
    """Booleans may be written as environments write them."""
    assert read(QUEUE_DASHBOARD=word).dashboard is False


@pytest.mark.parametrize(
    ("value", "backoff"),
    [
        ([1, 2.5], Backoff.fixed([1, 2.5])),
        ((0,), Backoff.fixed([0])),
        (Backoff.exponential(1, 9), Backoff.exponential(1, 9)),
        ("[3, 4]", Backoff.fixed([3, 4])),
        ("exponential", DEFAULT_BACKOFF),
    ],
)
def test_backoff_forms(value: object, backoff: Backoff) -> None:
    """The default back-off is a list, a Backoff, a JSON list or the word for the default."""
    assert read(QUEUE_BACKOFF=value).backoff == backoff


@pytest.mark.parametrize("value", ["fast", "5", [], ["1"], [float("nan")], [True], {"min_s": 1}, 5])
def test_wrong_backoff(value: object) -> None:
    """Anything else is refused with the forms that would do."""
    assert "QUEUE_BACKOFF" in faults(QUEUE_BACKOFF=value)


def test_redis_parts_make_one_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """REDIS_HOST and its sisters become one URL, quoted, and count as configured."""
    monkeypatch.setenv("REDIS_HOST", "cache")
    monkeypatch.setenv("REDIS_PASSWORD", "p@s/s#")
    monkeypatch.setenv("REDIS_DB", "2")
    config = read(REDIS_USERNAME="web")
    assert config.redis_url == "redis://web:p%40s%2Fs%23@cache:6379/2"
    assert config.redis_configured


@pytest.mark.parametrize("none", ["null", ""])
def test_password_null_means_none(monkeypatch: pytest.MonkeyPatch, none: str) -> None:
    """REDIS_PASSWORD=null or empty is no password, and alone names no server."""
    monkeypatch.setenv("REDIS_PASSWORD", none)
    assert read() == Config()


def test_an_ipv6_host_is_bracketed() -> None:
    """REDIS_HOST may be an IPv6 address."""
    assert read(REDIS_HOST="::1").redis_url == "redis://[::1]:6379/0"


def test_urls_win_over_parts() -> None:
    """QUEUE_REDIS_URL wins over REDIS_URL, which wins over the parts; what lost is not even checked."""
    parts: dict[str, object] = {"REDIS_HOST": "parts", "REDIS_PORT": "tcp://10.0.0.1:6379"}
    assert read(REDIS_URL="redis://one", **parts).redis_url == "redis://one"
    assert read(QUEUE_REDIS_URL="redis://two", REDIS_URL="nonsense", **parts).redis_url == "redis://two"


def test_no_password_in_repr_or_faults() -> None:
    """Neither repr nor faults show a password."""
    config = read(
        QUEUE_REDIS_URL="redis://web:hunter2@cache/1", QUEUE_DASHBOARD_USERNAME="a", QUEUE_DASHBOARD_PASSWORD="hunter3"
    )
    assert "hunter" not in repr(config)
    told = faults(QUEUE_REDIS_URL="redis://web:hunter2/3@cache", QUEUE_DASHBOARD_PASSWORD=["hunter3"])
    assert "hunter" not in told
    assert "percent-encoded" in told
    assert "hunter" not in faults(REDIS_HOST="redis://:hunter2@cache", REDIS_PASSWORD=["hunter2"])


def test_dashboard_login_needs_both() -> None:
    """A user name without a password would open nothing, or everything: refused."""
    assert "belong together" in faults(QUEUE_DASHBOARD_USERNAME="admin")


def test_redact_replaces_the_list() -> None:
    """QUEUE_REDACT is a list or words; it replaces the default."""
    assert read(QUEUE_REDACT="iban, pin").redact == ("iban", "pin")
    assert read(QUEUE_REDACT=[]).redact == ()
    assert "QUEUE_REDACT" in faults(QUEUE_REDACT=[1])


def test_queues_merge(monkeypatch: pytest.MonkeyPatch) -> None:
    """QUEUES changes what it mentions and adds queues; QUEUE_CONCURRENCY_<NAME> has the last word."""
    monkeypatch.setenv("QUEUES", '{"emails": {"rate_limit": "100/60s"}, "new-one": 3, "third": {"max_running": 1}}')
    monkeypatch.setenv("QUEUE_CONCURRENCY_NEW_ONE", "7")
    queues = read(Queue("emails", concurrency=5), Queue("images")).queues
    assert dict(queues) == {
        "emails": Queue("emails", concurrency=5, rate_limit=RateLimit(100, per_s=60)),
        "images": Queue("images"),
        "new-one": Queue("new-one", concurrency=7),
        "third": Queue("third", max_running=1),
    }


def test_queues_can_lift_a_limit() -> None:
    """A null in QUEUES takes back a limit that the code declares."""
    declared = Queue("emails", rate_limit=RateLimit(1, per_s=1))
    assert read(declared, QUEUES={"emails": {"rate_limit": None}}).queues["emails"].rate_limit is None


def test_concurrency_is_environment_only() -> None:
    """QUEUE_CONCURRENCY_<NAME> in app.config has no effect."""
    assert read(Queue("emails"), QUEUE_CONCURRENCY_EMAILS=9).queues["emails"].concurrency == 2


@pytest.mark.parametrize(
    ("queues", "told"),
    [
        ([Queue("a-b"), Queue("a_b")], "QUEUE_CONCURRENCY_A_B"),
        ([Queue("Mail"), Queue("mail")], "QUEUE_CONCURRENCY_MAIL"),
        ([Queue("a"), Queue("a")], "declared twice"),
        ([Queue("1a")], "a name starts with"),
        ([Queue("a b")], "a name starts with"),
        ([Queue("a", concurrency=0)], "concurrency 0"),
        ([Queue("a", concurrency=True)], "concurrency True"),
        ([Queue("a", max_running=0)], "max_running 0"),
        ([Queue("a", rate_limit=RateLimit(10_001, per_s=1))], "from 1 to 10,000"),
        ([Queue("a", rate_limit=RateLimit(1, per_s=0))], "per_s"),
        ([Queue("a", rate_limit="100/60s")], "RateLimit(limit, per_s=…)"),  # type: ignore[arg-type]
        (["emails"], "takes Queue objects, not 'emails'"),
    ],
)
def test_wrong_queues(queues: list[object], told: str) -> None:
    """A wrong queue is a fault that says which and why."""
    assert told in faults(*queues)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([1], "give queue names"),
        ({1: 2}, "give queue names"),
        ({"a": "many"}, "'a': concurrency 'many'"),
        ({"a": None}, "'a': concurrency None"),
        ({"a": {"threads": 3}}, "'threads' is none of"),
        ({"a": {"rate_limit": "100 per minute"}}, "100/60s"),
        ({"a": {"rate_limit": "0/60s"}}, "from 1 to 10,000"),
        ({"2nd": 2}, "a name starts with"),
    ],
)
def test_wrong_queues_setting(value: object, told: str) -> None:
    """A wrong QUEUES entry is a fault that says which and why."""
    assert told in faults(QUEUES=value)


def test_typing_errors_are_hinted(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that looks like a setting but is none is logged with the one that was meant; others are left alone."""
    monkeypatch.setenv("QUEUE_REDIS_ULR", "redis://h")
    monkeypatch.setenv("QUEUE_SIZE_OF_ANOTHER_PROGRAM", "1")
    monkeypatch.setenv("QUEUE_CONCURRENCY_EMIALS", "1")
    with caplog.at_level(logging.WARNING, "flask_queue"):
        read(Queue("emails"))
    assert len(caplog.messages) == 2
    assert "QUEUE_CONCURRENCY_EMIALS has no effect" in caplog.text
    assert "did you mean QUEUE_REDIS_URL?" in caplog.text


def test_later_changes_have_no_effect() -> None:
    """What was read is frozen, its queues too."""
    app = Flask("shop")
    app.config["QUEUES"] = {"a": 1}
    config = Config.from_app(app)
    app.config["QUEUES"]["a"] = 2
    assert config.queues["a"].concurrency == 1
    with pytest.raises(TypeError):
        config.queues["b"] = Queue("b")  # type: ignore[index]
