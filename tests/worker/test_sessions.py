"""Flask-SQLAlchemy's sessions do not leak from run to run."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from flask_queue import Job
from tests.worker.conftest import MakeBench


class Base(DeclarativeBase):
    pass


db: SQLAlchemy = SQLAlchemy(model_class=Base)
sessions: list[int] = []


class User(db.Model):  # type: ignore[name-defined, misc]
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Rename(Job):
    """Changes a user; fails before its COMMIT where it is told to."""

    max_retries = 0

    def handle(self, name: str, fail: bool = False) -> str:
        sessions.append(id(db.session()))
        user = db.session.get_one(User, 1)
        before = user.name
        user.name = name
        db.session.flush()
        if fail:
            raise RuntimeError("before COMMIT")
        db.session.commit()
        return before


@pytest.mark.parametrize("threads", [1, 2])
def test_a_failing_job_leaves_nothing_in_the_next_jobs_session(
    make_bench: MakeBench, tmp_path: Path, threads: int
) -> None:
    """What a failing run had flushed is rolled back, its connection is returned, and each run has its own session."""
    bench = make_bench(Rename, SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path / 'test.db'}")
    sessions.clear()
    db.init_app(bench.app)
    db.create_all()
    db.session.add(User(id=1, name="first"))
    db.session.commit()
    db.session.remove()
    with bench.working({"default": threads}):
        for number in range(5):
            failed = bench.finished(Rename.dispatch(f"bad {number}", fail=True).id)
            assert failed.error is not None
            assert failed.error.message == "before COMMIT"
            done = bench.finished(Rename.dispatch(f"good {number}").id)
            assert done.result == ("first" if number == 0 else f"good {number - 1}")
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert db.session.execute(text("select name from user")).scalar_one() == "good 4"
    db.session.remove()
    db.engine.dispose()
