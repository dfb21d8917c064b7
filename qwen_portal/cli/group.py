"""A group that imports a command when it is run, and turns every failure into a message and an exit code."""

import errno
import gc
import importlib
import keyword
import os
import sys
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from qwen_portal.cli.talk import say
from qwen_portal.errors import QwenError
from qwen_portal.text import columns, wrapped

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

CANCELLED = 2
_ERROR = 1
# What a full disk, or one that fails, says to whoever prints to a file of it.
_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class Group(click.Group):
    """Commands by name; a name that is none is answered with the one that was probably meant.

    Args:
        other_words: What other programs call a command, with our name for it.
        **attributes: click.Group's own.
    """

    def __init__(self, *, other_words: Mapping[str, str] = types.MappingProxyType({}), **attributes: Any) -> None:
        super().__init__(**attributes)
        self._other_words = other_words

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names."""
        name = args[0]
        is_typed = not (ctx.resilient_parsing or name.startswith("-"))
        if is_typed and name not in self.list_commands(ctx):
            ctx.fail(f"There is no command {name!r}.{self._meant(ctx, name.lower())}")
        return super().resolve_command(ctx, args)

    def _meant(self, ctx: click.Context, name: str) -> str:
        import difflib

        known = [*self.list_commands(ctx), *self._other_words]
        alike = difflib.get_close_matches(name, known, n=1)
        return f" Did you mean `{ctx.command_path} {self._other_words.get(alike[0], alike[0])}`?" if alike else ""


class LazyGroup(Group):
    """A group whose commands are modules of one package, each with an object ``command``.

    Args:
        package: The package of the command modules.
        lazy: Each command's name with the first line of its help.
        **attributes: Those of :class:`Group`.
    """

    def __init__(self, *, package: str, lazy: Mapping[str, str], **attributes: Any) -> None:
        super().__init__(**attributes)
        self._package = package
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names, in the order of the table."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Import the command."""
        if cmd_name not in self._lazy:
            return None
        # a module cannot be named as a keyword is: `import` is in import_.py
        module = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        command = importlib.import_module(f"{self._package}.{module}").command
        _end_of_imports()
        if "logging" in sys.modules:
            # else nothing that is logged precedes the command's own error
            from qwen_portal.cli.log import speak_log

            speak_log()
        assert isinstance(command, click.Command)  # noqa: S101 - for the type checker
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Propose the commands from the table, then the options."""
        from click.shell_completion import CompletionItem

        named = [CompletionItem(name, help=said) for name, said in self._lazy.items() if name.startswith(incomplete)]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """Write the commands' first lines from the table."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._lazy.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a failure is told on stderr and leaves with its exit code."""
        if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            ctx.color = False
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            say("\nCancelled.")
            ctx.exit(CANCELLED)
        except QwenError as exc:
            tell(exc)
            ctx.exit(exc.exit_code)
        except click.UsageError as exc:
            raise click.UsageError(_fitted(exc.format_message()), exc.ctx) from None
        except (click.exceptions.Exit, click.ClickException):
            raise
        except Exception as exc:
            # click itself answers a reader that went away, as `head` does
            if isinstance(exc, OSError) and exc.errno == errno.EPIPE:
                raise
            if isinstance(exc, OSError) and exc.errno in _UNWRITABLE:
                tell(QwenError(f"The output cannot be written: {exc.strerror}.", hint="Send it somewhere else."))
            else:
                _tell_unexpected(exc)
            ctx.exit(_ERROR)


def _end_of_imports() -> None:
    """Turn the garbage collector on that ``main`` turned off, for what comes from now on."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def tell(error: QwenError) -> None:
    """Say on stderr what happened and what to do."""
    from qwen_portal.cli.hints import hint_of

    say(f"Error: {error.message}")
    if error.hint:
        say(f"Hint: {hint_of(error)}")


def _fitted(message: str) -> str:
    """Lay out the message of wrong usage, which click prints behind a word of its own."""
    before = "Error: "
    return wrapped(message, columns(sys.stderr), first=before).removeprefix(before)


def _tell_unexpected(error: Exception) -> None:
    """Report a defect of ours; its text may quote a header, so it is masked, and frames come without values."""
    import traceback

    from qwen_portal.secrets import printable

    say(f"Error: unexpected {type(error).__name__}: {printable(str(error))}")
    if os.environ.get("QWEN_PORTAL_LOG", "").lower() == "debug":
        click.echo("".join(traceback.format_tb(error.__traceback__)), err=True, nl=False)
    else:
        say("Hint: this is a defect; please report it with the output of QWEN_PORTAL_LOG=debug.")
