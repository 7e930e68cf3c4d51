"""Places of errors: the same for every host, release and edit, and that of the app's own code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from flask_queue.place import MAX_LENGTH, place_of
from flask_queue.retry import describe_error

if TYPE_CHECKING:
    from collections.abc import Callable


class Invoice:
    def handle(self, text: str) -> None:
        json.loads(text)


def raised(run: Callable[[], object]) -> str:
    """The place of what it raises."""
    try:
        run()
    except BaseException as error:
        return place_of(error.__traceback__)
    raise AssertionError("it raised nothing")


def code(text: str, file: str, module: str | None) -> Callable[[], object]:
    """A function `run` that is made of this text, as if it was in that file."""
    namespace: dict[str, object] = {"__name__": module}
    exec(compile(text, file, "exec"), namespace)
    run = namespace["run"]
    assert callable(run)
    return run


FAILS = "def run(): raise ValueError"
CALLS = "def run(inner=None): inner()"


def test_it_is_the_innermost_of_the_apps_own_code() -> None:
    """Not where in the standard library the error was raised."""
    assert raised(lambda: Invoice().handle("{")) == "tests/unit/test_place.py:Invoice.handle"


def test_lines_and_folders_leave_no_mark() -> None:
    """Of a file only as much is told as the name of its module has parts."""
    one = code(FAILS, "/srv/release-1/shop/jobs/mail.py", "shop.jobs.mail")
    two = code("\n\n" + FAILS, "/home/me/src/shop/jobs/mail.py", "shop.jobs.mail")
    assert raised(one) == raised(two) == "shop/jobs/mail.py:run"
    assert raised(code(FAILS, "/srv/shop/__init__.py", "shop")) == "shop/__init__.py:run"
    assert raised(code(FAILS, "/srv/app.py", "__main__")) == "app.py:run"
    assert raised(code(FAILS, "/srv/app.py", None)) == "app.py:run"


@pytest.mark.untraced  # the report would look for these files
@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("/venv/lib/python3.11/site-packages/requests/api.py", "requests.api"),
        ("/usr/lib/python3/dist-packages/apt/cache.py", "apt.cache"),
        ("/src/flask-queue/flask_queue/job.py", "flask_queue.job"),
        ("/src/dramatiq/actor.py", "dramatiq.actor"),
        (json.__file__, "json"),
        ("<frozen runpy>", "runpy"),
    ],
)
def test_libraries_are_not_the_apps_own(file: str, module: str) -> None:
    """They only count where there is nothing else."""
    library = code(FAILS, file, module)
    assert raised(library).startswith("tests/unit/test_place.py:raised")
    mine = code(CALLS, "/srv/shop/jobs.py", "shop.jobs")
    assert raised(lambda: mine(library)) == "shop/jobs.py:run"  # type: ignore[call-arg]
    with pytest.raises(ValueError) as info:  # noqa: PT011 - it has no text
        library()
    frames = info.value.__traceback__
    assert frames is not None
    assert place_of(frames.tb_next).endswith(":run")


def test_without_a_traceback_there_is_none() -> None:
    """As for an error that was made, and never raised."""
    assert describe_error(ValueError("no")).place == ""


def test_strange_names_are_storable_and_short() -> None:
    r"""A lone surrogate is written as \udc80; what programs make up is cut."""
    assert raised(code(FAILS, "/srv/a\udc80.py", "a")) == r"a\udc80.py:run"
    assert len(raised(code(FAILS, f"/srv/{'x' * 999}.py", "x"))) == MAX_LENGTH


def test_an_error_in_an_error_is_placed_where_it_was_raised() -> None:
    """Not where its cause was."""

    def fails() -> None:
        try:
            Invoice().handle("{")
        except ValueError:
            raise RuntimeError from None

    assert raised(fails).endswith("<locals>.fails")


def test_deep_recursion_is_no_trouble() -> None:
    """A thousand frames of one function."""

    def dive() -> None:
        dive()

    assert raised(dive).endswith("dive")
