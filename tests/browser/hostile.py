"""Texts that would run, break out or mislead if a page did not escape them, everywhere that a job has texts."""

from __future__ import annotations

from typing import Any

from flask_queue import Job

#: The queue of these jobs.
QUEUE = "hostile"
#: Every element that a text could make carries this, and none of ours does.
MARK = "pwned"
#: One of each kind. Each would make an element marked `pwned`, run `alert`, or leave the place where it stands.
CORPUS = (
    f"<script class={MARK}>alert('script')</script>",
    f"</script><script class={MARK}>alert('closed')</script>",
    f"</pre></code></textarea></title></style><b class={MARK}>out</b>",
    f"<img class={MARK} src=x onerror=alert('image')>",
    f"<svg class={MARK} onload=alert('svg')><animate onbegin=alert('animate')></svg>",
    f"\"><a class={MARK} href='javascript:alert(1)' autofocus onfocus=alert('focus')>",
    f"' class={MARK} onmouseover=alert('quote') x='",
    "javascript:alert('address')",
    f"<iframe class={MARK} srcdoc=\"<script>parent.alert('frame')</script>\"></iframe>",
    f"<form class={MARK} action=https://evil.example><input name=csrf_token></form>",
    f"<meta class={MARK} http-equiv=refresh content='0;url=https://evil.example'>",
    f"<link class={MARK} rel=stylesheet href=https://evil.example/x.css>",
    f"<!--<b class={MARK}>--!><b class={MARK}>comment</b>",
    f"&lt;b class={MARK}&gt;entity&lt;/b&gt;",
    f"\uff1cscript class={MARK}\uff1ealert('wide')\uff1c/script\uff1e",
    "{{ 7 * 7 }}{% raw %}{{ config }}${7*7}#{7*7}",
    "\x1b[31mred\x1b[0m\x1b]8;;https://evil.example\x07link\x1b]8;;\x07",
    "\u202etxt.exe\u202c \u2066hidden\u2069 zero\u200bwidth a\u0301\u0301\u0301 \U0001f469\u200d\U0001f4bb",
    "\u2028line\u2029paragraph\x85next",
    "0; --x" + "W" * 400,
)
#: A name may have no spaces.
NAME = f"<img/class={MARK}/src=x/onerror=alert(1)>"

#: Of a tag.
MOST_CHARACTERS = 100


class Hostile(Job):
    """Logs, reports and raises what it is given."""

    name = NAME
    queue_name = QUEUE
    max_retries = 0

    @staticmethod
    def tags(texts: dict[str, Any], fails: bool) -> list[str]:
        """The same texts, as far as tags may be such."""
        return [text[:MOST_CHARACTERS].strip() for text in CORPUS if text.isprintable()]

    def handle(self, texts: dict[str, Any], *, fails: bool = False) -> dict[str, Any]:
        """Do it."""
        for text in CORPUS:
            self.log(text)
        if fails:
            raise type(NAME, (ValueError,), {})("\n".join(CORPUS))
        return texts


JOBS = [Hostile]


def dispatch() -> None:
    """One that succeeds, one that fails, one that waits for a day."""
    texts = {text: text for text in CORPUS} | {"list": [*CORPUS, {"nested": CORPUS[0]}]}
    Hostile.options(job_id="done").dispatch(texts)
    Hostile.options(job_id="broken").dispatch(texts, fails=True)
