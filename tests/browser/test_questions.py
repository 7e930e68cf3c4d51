"""What asks first shows all that it says, on a phone too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Visit

PHONE = {"width": 390, "height": 844}
SHAPES = "boxes => boxes.map(box => box.getBoundingClientRect()).map(at => [at.left, at.right, at.width])"


@pytest.mark.parametrize("path", ["workers/", "queue/emails/", "jobs/emails:broken/"])
@pytest.mark.parametrize("width", [390, 1280])
def test_questions_fit_the_page(visit: Visit, path: str, width: int) -> None:
    """Each one, opened, lies within it, and makes it no wider."""
    page = visit(viewport={**PHONE, "width": width}).open(path)
    buttons = page.locator("details.fq-ask > summary")
    assert buttons.count()
    for number in range(buttons.count()):
        buttons.nth(number).click()
        ((left, right, wide),) = page.locator("details.fq-ask[open] > .fq-popover").evaluate_all(SHAPES)
        assert 0 <= left < right <= width
        assert wide >= 180
        assert page.evaluate("document.documentElement.scrollWidth") == width
