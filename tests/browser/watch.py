"""Everything that must not happen in a browser while it looks at our pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Request, Response, WebError

#: Makes each breach of the content policy an error that is heard of.
TELL_BREACHES = """
addEventListener("securitypolicyviolation", event =>
  console.error(`CSP: ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));
"""


class Watch:
    """Notes the faults of all pages of one browser context: messages, errors, dialogs, requests that failed or left.

    Args:
        context: of one visitor.
        base: the address of the only server that pages may ask.
    """

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.faults: list[str] = []
        self._expected: str | None = None
        self._base = base
        context.add_init_script(TELL_BREACHES)
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("dialog", self._dialog)
        context.on("request", self._request)
        context.on("requestfailed", self._failed)
        context.on("response", self._response)

    def forgive(self) -> list[str]:
        """What was wrong so far, as the test wanted it; it is forgotten."""
        faults, self.faults[:] = list(self.faults), []
        return faults

    def expect(self, text: str) -> None:
        """From now on a response or message with this text is no fault: a browser may tell of it late, or twice."""
        self._expected = text

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"} and not (self._expected and self._expected in message.text):
            self.faults.append(f"console: {message.text}")

    def _error(self, error: WebError) -> None:
        self.faults.append(f"script: {error.error}")

    def _dialog(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self._base}/", "data:")):
            self.faults.append(f"elsewhere: {request.url}")

    def _failed(self, request: Request) -> None:
        # A page that is left takes its open requests with it.
        if request.failure != "net::ERR_ABORTED":
            self.faults.append(f"failed: {request.url} {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and str(response.status) != self._expected:
            self.faults.append(f"status {response.status}: {response.url}")
