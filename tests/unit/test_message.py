"""Messages know the broker of their actor; Dramatiq's global broker is never asked for."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import dramatiq
import pytest
from dramatiq import pipeline
from dramatiq.results import Results
from dramatiq.results.backends import StubBackend
from flask import Flask

from flask_queue import FlaskQueue, Job
from flask_queue.broker import QueueBroker
from flask_queue.message import Message


class Add(Job):
    """Adds."""

    def handle(self, x: int, y: int) -> int:
        """Return the sum."""
        return x + y


queue = FlaskQueue(jobs=[Add], middleware=[lambda: Results(backend=StubBackend())])


@queue.actor()
def double(x: int = 0) -> int:
    """Return twice as much."""
    return 2 * x


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[QueueBroker]:
    """The broker of an app. There is no global one, and asking for it would make one."""
    monkeypatch.setattr("dramatiq.broker.global_broker", None)
    app = Flask(__name__)
    queue.init_app(app)
    with app.app_context():
        yield queue.broker
    assert dramatiq.broker.global_broker is None


def test_a_pipeline_has_the_broker_of_its_first_message(broker: QueueBroker) -> None:
    """However long it grows, and whatever it is made of."""
    assert (double.message(1) | double.message()).broker is broker
    grown = double.message(1) | double.message() | (double.message() | double.message())
    assert isinstance(grown, pipeline)
    assert (grown.broker, len(grown)) == (broker, 4)


def test_the_messages_of_a_job_know_their_broker(broker: QueueBroker) -> None:
    """A job is an actor like any other."""
    assert (broker.get_actor("Add").message(x=1, y=2) | double.message()).broker is broker


def test_a_message_finds_its_result(broker: QueueBroker) -> None:
    """In the backend of its own broker, also as a part of a pipeline; one that is given wins."""
    message = double.message(4)
    broker.get_results_backend().store_result(message, 8, 60_000)
    assert message.get_result() == 8
    assert (message | double.message()).messages[0].get_result() == 8
    with pytest.raises(dramatiq.results.ResultMissing):
        message.get_result(backend=StubBackend(namespace="other"))


def test_copies_keep_the_broker(broker: QueueBroker) -> None:
    """A changed message is still one of the same broker."""
    message = double.message(1)
    for copied in (message.copy(args=(2,), options={"delay": 5}), message._replace(args=(2,))):
        assert copied.args == (2,)
        assert (copied | message).broker is broker


def test_the_broker_is_no_part_of_a_message(broker: QueueBroker) -> None:
    """It is neither sent nor pickled, and makes no difference in comparisons."""
    message = double.message(1)
    plain: dramatiq.Message[int] = dramatiq.Message(**message.asdict())
    assert type(plain) is not type(message)
    assert message == plain
    assert plain == message
    assert repr(message) == repr(plain)
    assert dramatiq.Message.decode(message.encode()) == plain
    assert pickle.loads(pickle.dumps(message)) == message
    assert message != message.copy(args=(2,))
    assert message != object()


def test_a_message_without_a_broker_is_a_plain_one(broker: QueueBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was pickled belongs to the process that has it: there Dramatiq's own rules hold."""
    monkeypatch.setattr("dramatiq.broker.global_broker", dramatiq.Broker(middleware=[]))
    message: Message[int] = pickle.loads(pickle.dumps(double.message(1)))
    assert (message | message).broker is dramatiq.get_broker()
    with pytest.raises(RuntimeError, match="results backend"):
        message.get_result()
    monkeypatch.setattr("dramatiq.broker.global_broker", None)
