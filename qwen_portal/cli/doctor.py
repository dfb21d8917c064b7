"""``qwen-portal doctor``."""

import json
import sys

import click

from qwen_portal.doctor import Finding, examine
from qwen_portal.text import columns, wrapped

_ERROR = 1


@click.command()
@click.option("--json", "as_json", is_flag=True, help='Print {"findings": […]}, each with name, state, text, remedy.')
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """Look for what is wrong on this machine, and say what mends it.

    The sign-in host is asked for one device code, where somebody signs in with one; nothing else is sent. The lines
    hold no secret, no account's label and no user name, so they can go into a bug report. The exit code is 1 if a line
    says fail.
    """
    findings: list[Finding] = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            _show(finding)
    if as_json:
        click.echo(json.dumps({"findings": [finding._asdict() for finding in findings]}))
    if any(finding.state == "fail" for finding in findings):
        ctx.exit(_ERROR)


def _show(finding: Finding) -> None:
    colour = {"ok": "green", "warn": "yellow", "fail": "red"}[finding.state]
    width, state, indent = columns(sys.stdout), f"{finding.state:4}", " " * 6
    line = wrapped(f"{finding.name}: {finding.text}", width, first=indent, rest=indent)
    click.echo(click.style(state, fg=colour) + line.removeprefix(" " * len(state)))
    if finding.remedy:
        click.echo(wrapped(finding.remedy, width, first=indent, rest=indent))
