"""What ends a demo early."""


class DemoError(Exception):
    """The demo cannot go on; the message is all that its user sees."""
