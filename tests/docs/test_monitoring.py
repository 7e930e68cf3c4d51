"""What the page about monitoring shows works as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "monitoring.md"
#: What uses the app of the page; spans are printed, as the provider is the page's own.
PROGRAM = """
import sys
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
import shop
from flask_queue.testing import drain

app = shop.create_app()
exporter = InMemorySpanExporter()
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(exporter))
app.add_url_rule("/sign-up", view_func=lambda: shop.SendWelcomeEmail.dispatch(user_id=1).id)
assert app.test_client().get("/sign-up").status_code == 200
with app.app_context():
    assert drain() == 1
spans = exporter.get_finished_spans()
assert len({span.context.trace_id for span in spans}) == 1
print(*(span.name for span in spans), sep="\\n")
"""


def test_the_traced_app(redis_url: str, tmp_path: Path) -> None:
    """A process of its own, as a tracer provider is set once and for all."""
    [text] = re.findall(r"^`shop.py`:\n\n```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "shop.py").write_text(text)
    environment = {**os.environ, "QUEUE_REDIS_URL": redis_url}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:3] == ["dispatch SendWelcomeEmail", "GET /sign-up", "run SendWelcomeEmail"]
