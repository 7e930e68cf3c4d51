"""What of `deploy/` a machine like this can run does what its pages say."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from flask import Flask

from flask_queue.current import broker_of
from flask_queue.metrics import exposition
from flask_queue.monitor import Monitor
from tests.deployment.files import DEPLOY, commands, container, manifests
from tests.deployment.shop import create_app
from tests.needs import require
from tests.servers import RedisServer, free_port
from tests.supervision.conftest import PATIENCE_S, probe
from tests.support import wait_until

if TYPE_CHECKING:
    from tests.deployment.conftest import Shop

#: Requests that are sent at the same time, and in all.
THREADS, REQUESTS = 8, 100
#: Past whatever proxy this machine has.
OPENER = build_opener(ProxyHandler({}))


@pytest.fixture
def app(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The app, in this process."""
    monkeypatch.setenv("QUEUE_REDIS_URL", redis_url)
    return create_app()


def count(app: Flask, state: str) -> int:
    """Jobs in that state on the queue of the report."""
    with app.app_context():
        return int(app.extensions["queue"].counts()["default"][state])


@pytest.mark.parametrize("where", ["shop-worker.service", "worker.yaml", "Procfile worker"])
def test_a_schedule_dispatches_and_workers_run(shop: Shop, app: Flask, where: str) -> None:
    """The command of the timer's service, and each command that starts workers, as it stands there but for the port."""
    assert shop.start(commands()["shop-report.service"]).end() == 0
    words, port = list(commands()[where]), free_port()
    if "--health-port" in words:
        words[words.index("--health-port") + 1] = str(port)
    worker = shop.start(words)
    wait_until(lambda: count(app, "completed") == 1, PATIENCE_S)
    if where == "worker.yaml":
        manifest = container(manifests(where)["Deployment"])
        for name in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert probe(port, manifest[name]["httpGet"]["path"])[0] == 200
    worker.send(signal.SIGTERM)
    assert worker.end() == 0, worker.printed


@pytest.mark.parametrize("before_the_fork", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("server", ["gunicorn", "uwsgi"])
def test_web_servers_that_fork(shop: Shop, app: Flask, server: str, before_the_fork: bool) -> None:
    """Each process has connections of its own: no reply reaches another, whether the app was loaded before the fork."""
    require(server)
    port = free_port()
    if server == "gunicorn":
        words = [*commands()["Procfile web"], "--config", "gunicorn.conf.py", "--no-control-socket"]
        words[words.index("0.0.0.0:$PORT")] = f"127.0.0.1:{port}"
        words += ["--preload"] if before_the_fork else []
    else:
        settings = (DEPLOY / "web" / "uwsgi.ini").read_text()
        (shop.folder / "uwsgi.ini").write_text(re.sub(r"0\.0\.0\.0:\d+", f"127.0.0.1:{port}", settings))
        words = ["uwsgi", "--ini", "uwsgi.ini", *([] if before_the_fork else ["--lazy-apps"])]
    web = shop.start(words, DISPATCH_EARLY="1")
    # Each time that the app is loaded it dispatches: once, or in each process.
    loaded = 1 if before_the_fork else 2
    wait_until(lambda: count(app, "waiting") == loaded, PATIENCE_S, what=f"the app was loaded {loaded} times")
    wait_until(lambda: web.process.poll() is not None or send(port, 0), PATIENCE_S, what="the server answers")
    with ThreadPoolExecutor(THREADS) as threads:
        answers = list(threads.map(lambda number: send(port, number), range(REQUESTS)))
    assert [answer and answer["payload"] for answer in answers] == [{"number": number} for number in range(REQUESTS)]
    web.send(signal.SIGTERM)
    assert web.end() == 0, web.printed
    assert count(app, "waiting") == loaded + 1 + REQUESTS


def send(port: int, number: int) -> dict[str, object] | None:
    """Let the app dispatch; its answer, or None while nobody listens."""
    try:
        with OPENER.open(Request(f"http://127.0.0.1:{port}/{number}", method="POST"), timeout=PATIENCE_S) as response:
            answer: dict[str, object] = json.load(response)
    except URLError:
        return None
    return answer


@pytest.mark.needs("systemd-analyze")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """No unknown key, no wrong value; the programs in them stand for those of the app."""
    for path in (DEPLOY / "systemd").iterdir():
        text = re.sub(r"/srv/shop/venv/bin/\w+", "/bin/true", path.read_text())
        (tmp_path / path.name).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", *map(str, tmp_path.iterdir())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.needs("redis-server")
def test_the_settings_of_redis(shop: Shop) -> None:
    """A server with them has nothing that the doctor finds."""
    settings = dict(
        line.split(" ", 1) for line in (DEPLOY / "redis" / "redis.conf").read_text().splitlines() if line[:1].isalpha()
    )
    with RedisServer(kind="redis", options=settings) as server:
        doctor = shop.start(["flask", "--app", "shop", "queue", "doctor", "--json"], QUEUE_REDIS_URL=server.url)
        assert doctor.end() == 0
        findings = json.loads(doctor.printed)
    # No worker was started here.
    assert {finding["check"] for finding in findings if finding["level"] != "ok"} == {"workers"}, findings


def test_what_the_scaler_asks_for_is_told(app: Flask) -> None:
    """Its query has names and labels of the metrics, and queues and states of the app."""
    triggers = manifests("scaledobject.yaml")["ScaledObject"]["spec"]["triggers"]
    query = triggers[0]["metadata"]["query"]
    (name,) = set(re.findall(r"flask_queue_\w+", query))
    samples = exposition(Monitor(broker_of(app)))
    assert f"# TYPE {name} gauge" in samples
    asked = {label: value.split("|") for label, value in re.findall(r'(\w+)=~"([^"]+)"', query)}
    for queue in asked["queue"]:
        for state in asked["state"]:
            assert f'{name}{{queue="{queue}",state="{state}"}} 0' in samples
    assert f"by ({', '.join(asked)})" in query
    page = (DEPLOY.parent / "docs" / "deployment" / "kubernetes.md").read_text()
    assert all(f"# TYPE {each} gauge" in samples for each in re.findall(r"flask_queue_\w+", page))
