"""The pages of the documentation, as tests read them.

Above a block may stand, in a comment that readers don't see, `given:` with Python that the blocks below need, or
`not run:` with the reason why a block cannot be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask_queue import FlaskQueue, Job

ROOT = Path(__file__).resolve().parents[2]
#: All that a reader is sent to, relative to the root.
PAGES = [Path("README.md"), Path("CONTRIBUTING.md"), *sorted(p.relative_to(ROOT) for p in ROOT.glob("docs/**/*.md"))]

_FENCE = re.compile(
    r"""
    (?:^`(?P<file>[\w./-]+)`:\n\n)?
    (?:^<!--\ not\ run:\ (?P<reason>.+?)\ -->\n\n?)?
    ^```(?P<language>[\w{}-]*)\n
    (?P<code>.*?)
    ^```$
    | ^<!--\ given:\n(?P<given>.*?)^-->$
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True)
class Block:
    """What stands between two fences."""

    page: Path
    line: int
    language: str
    code: str
    #: The file that it is, as the line above says.
    file: str | None = None
    #: Why it is not run.
    reason: str | None = None

    def run(self, names: dict[str, Any]) -> None:
        """Execute it; a traceback shows its lines of the page."""
        program = "\n" * self.line + self.code
        exec(compile(program, str(self.page), "exec", dont_inherit=True), names)

    def commands(self) -> list[str]:
        """The command lines of a block for the shell, continued lines joined."""
        lines = self.code.replace("\\\n", " ").splitlines()
        if self.language == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        return [line for line in lines if line and not line.startswith("#")]


def blocks(page: Path, *languages: str) -> list[Block]:
    """The blocks of a page in these languages, in order; what they are given is Python, too."""
    text = (ROOT / page).read_text()
    found = []
    for match in _FENCE.finditer(text):
        group = "code" if match["given"] is None else "given"
        line = text.count("\n", 0, match.start(group))
        language = match["language"] if group == "code" else "python"
        found.append(Block(page, line, language, match[group], match["file"], match["reason"]))
    return [block for block in found if block.language in languages]


def follow(page: Path, names: dict[str, Any]) -> None:
    """Run the Python of a page as one program, all but files of an app; its jobs are registered as they appear."""
    queue: FlaskQueue = names["queue"]
    known = set(map(id, names.values()))
    for block in blocks(page, "python"):
        if block.file is None and block.reason is None:
            block.run(names)
            new = [value for value in names.values() if id(value) not in known]
            queue.register(*(job for job in new if isinstance(job, type) and issubclass(job, Job)))


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made where Markdown is shown."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}
