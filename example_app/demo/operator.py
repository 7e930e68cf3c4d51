"""Who sees the dashboard."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from .errors import DemoError
from .processes import run
from .visit import Visitor

DASHBOARD = "/admin/queues/"


@dataclass(frozen=True, slots=True)
class Operator:
    """A user with the right to see the dashboard, and a password for this run."""

    email: str = "operator@example.org"
    password: str = field(default_factory=lambda: secrets.token_urlsafe(9))

    def create(self, env: dict[str, str]) -> None:
        """Make the account, or give it the new password."""
        run(env | {"OPERATOR_PASSWORD": self.password}, "create-operator", self.email)

    def look(self, address: str, jobs: list[dict[str, Any]]) -> None:
        """Sign in, and find each of these jobs on a page of its own."""
        visitor = Visitor(address)
        visitor.post_form("/sign-in", email=self.email, password=self.password)
        pages = {DASHBOARD: {job["queue"] for job in jobs}}
        pages |= {f"{DASHBOARD}jobs/{job['id']}/": {job["id"], job["name"], job["state"]} for job in jobs}
        for path, texts in pages.items():
            page = visitor.get(path).decode()
            if missing := [text for text in texts if text not in page]:
                raise DemoError(f"{address}{path} does not show {', '.join(missing)}")
        print(f"The dashboard at {DASHBOARD} shows all {len(jobs)} jobs.")
