"""The reference of the command line, as Markdown, from the commands themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from flask_queue.cli import queue_cli

#: How a command is called.
PROGRAM = "flask queue"


def describe_commands() -> str:
    """A section for each command: what it does, its arguments, its options, examples."""
    context = click.Context(queue_cli, info_name=PROGRAM)
    commands = [queue_cli.get_command(context, name) for name in queue_cli.list_commands(context)]
    return "\n".join(line for command in commands if command for line in _section(command, context))


def _section(command: click.Command, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=command.name, parent=parent)
    yield from ("", f"## {command.name}", "", inspect.cleandoc(str(command.help)), "")
    yield from ("```text", " ".join([context.command_path, *command.collect_usage_pieces(context)]), "```", "")
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    yield from ("| option | does |", "|---|---|")
    yield from (_row(option, context) for option in options if not option.hidden)
    yield from ("", "```sh", *_examples(command), "```", "")


def _row(option: click.Option, context: click.Context) -> str:
    # What click's own help says of it: its names and value, and what it does with default and range.
    names, does = option.get_help_record(context) or ("", "")
    return f"| `{_cell(names)}` | {_cell(does)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _examples(command: click.Command) -> list[str]:
    """The command lines in a command's epilog; see `flask_queue.cli.group.examples`."""
    return [line.strip() for line in str(command.epilog).splitlines() if line.strip().startswith(PROGRAM)]
