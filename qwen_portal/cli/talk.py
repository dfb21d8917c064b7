"""Talk: what commands say to a person, on stderr, in lines that fit the terminal."""

import sys

import click

from qwen_portal.text import columns, wrapped


def say(text: str) -> None:
    """Say something on stderr: at a terminal no line ends within a word or a command, elsewhere each is whole."""
    click.echo(wrapped(text, columns(sys.stderr)), err=True)
