"""What must be in wheel and sdist, what must not, and what their metadata has to say: pure rules, one fault a line."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from email.message import Message

#: Of the clone, but for contributors alone: not in the sdist.
LEFT_OUT = (".ci/", ".github/", "docs/screenshots/")
#: Nothing of the kind is ever handed out, whatever put it there.
FOREIGN = re.compile(r"(^|/)(__pycache__|\.git|\.nox|\.venv|instance|\.hypothesis)/|\.py[cod]$|(^|/)\.coverage|~$")
#: What the wheel's own folder has.
INFO = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
#: Lines of the metadata that a user decides by.
WANTED = ("Name", "Version", "Summary", "License-Expression", "License-File", "Requires-Python", "Keywords")
#: A release, or what becomes one.
VERSION = re.compile(r"\d+\.\d+\.\d+((a|b|rc)\d+)?(\.dev\d+)?")


def faults_of_wheel(names: Collection[str], tracked: Collection[str]) -> Iterator[str]:
    """The package and what it is known by, all of it and nothing else.

    Args:
        names: files of the wheel.
        tracked: files of the clone that are under version control.
    """
    package = {name for name in tracked if name.startswith("flask_queue/") or name == "flask_queue_pytest.py"}
    info = {name for name in names if name.partition("/")[0].endswith(".dist-info")}
    yield from (f"the wheel lacks {name}" for name in sorted(package - set(names)))
    yield from (f"the wheel has {name}" for name in sorted(set(names) - package - info))
    own = {name.partition("/")[2] for name in info}
    yield from (f"the wheel's metadata lacks {name}" for name in sorted(INFO - own))


def faults_of_sdist(names: Collection[str], tracked: Collection[str]) -> Iterator[str]:
    """All that is under version control, so that packagers can build, read and test; nothing that is not.

    Args:
        names: files of the sdist, without its top folder.
        tracked: files of the clone that are under version control.
    """
    wanted = {name for name in tracked if not name.startswith(LEFT_OUT)}
    yield from (f"the sdist lacks {name}" for name in sorted(wanted - set(names)))
    yield from (f"the sdist has {name}" for name in sorted(set(names) - wanted - {"PKG-INFO"}))
    yield from (f"the sdist has {name}" for name in sorted(names) if name in wanted and FOREIGN.search(name))


def faults_of_metadata(metadata: Message, changelog: str, pythons: Collection[str]) -> Iterator[str]:
    """It is complete, and says the same as the changelog and the Pythons that are tested.

    Args:
        metadata: of the wheel.
        changelog: the text of CHANGELOG.md.
        pythons: versions ("3.11") that a release is checked with.
    """
    yield from (f"the metadata lack {key}" for key in WANTED if not metadata[key])
    version = str(metadata["Version"])
    if not VERSION.fullmatch(version):
        yield f"{version} is no version of the form 1.2.3, 1.2.3rc1 or 1.2.3.dev0"
    heading = "Unreleased" if ".dev" in version else version
    if not re.search(rf"^## \[{re.escape(heading)}\]", changelog, re.MULTILINE):
        yield f"CHANGELOG.md has no section [{heading}]"
    classified = re.findall(r"Python :: (3\.\d+)$", "\n".join(metadata.get_all("Classifier", [])), re.MULTILINE)
    if sorted(classified) != sorted(pythons):
        yield f"the classifiers name Python {', '.join(classified)}, a release is checked with {', '.join(pythons)}"
    if metadata["Requires-Python"] != f">={min(pythons, key=_number)}":
        yield f"Requires-Python is {metadata['Requires-Python']}, not >={min(pythons, key=_number)}"


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
