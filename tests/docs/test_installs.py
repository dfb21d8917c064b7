"""What an example imports, the text beside it says how to install: README, notebooks and examples."""

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
OWN = {"qwen_portal", "langchain_qwen_portal", "litellm_qwen_portal"}
# What a class imports when it is used, and its package does not require.
ON_USE = {"InMemoryVectorStore": "numpy"}
# The extras alone: with "all" nobody would need to be told anything.
INSTALL = README.split("\n## Install\n")[1].split("\n## ")[0].replace('"qwen-portal[all]"', "")


class Example(NamedTuple):
    """Code that somebody runs, and the text that says what it needs."""

    name: str
    code: str
    text: str


def examples() -> Iterator[Example]:
    """Yield every one."""
    for section in README.split("\n## "):
        for n, code in enumerate(re.findall(r"```python\n(.*?)```", section, re.DOTALL), 1):
            yield Example(f"README, {section.splitlines()[0]}, {n}", code, INSTALL + section)
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        first, *cells = json.loads(path.read_text("utf-8"))["cells"]
        code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        yield Example(path.name, code, "".join(first["source"]))
    for path in sorted((ROOT / "examples").glob("*.py")):
        code = path.read_text("utf-8")
        yield Example(path.name, code, ast.get_docstring(ast.parse(code)) or "")


def named(text: str) -> set[str]:
    """Return the distributions that the commands of a text install, with all that they require."""
    commands = re.findall(r"pip install ([^\n`#]*)", text)
    wanted = [Requirement(word.strip('"')) for command in commands for word in command.split()]
    found = set[str]()
    while wanted:
        requirement = wanted.pop()
        name = requirement.name.lower()
        if name == "qwen-portal":
            wanted += own_requirements(requirement.extras)
        elif name not in found:
            found.add(name)
            wanted += requirements_of(name)
    return found


def own_requirements(extras: set[str]) -> list[Requirement]:
    """Return what the package itself requires, with these extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    optional = [line for extra in extras for line in project["optional-dependencies"][extra]]
    return [Requirement(line) for line in (*project["dependencies"], *optional)]


def requirements_of(name: str) -> list[Requirement]:
    """Return what an installed distribution requires without extras of its own."""
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []
    required = [Requirement(line) for line in lines]
    return [each for each in required if each.marker is None or each.marker.evaluate({"extra": ""})]


def needed(code: str) -> set[str]:
    """Return the distributions that code imports, or uses by a class that imports them."""
    modules = set[str]()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            modules |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add((node.module or "").partition(".")[0])
    of_modules = metadata.packages_distributions()
    imported = {of_modules[module][0].lower() for module in modules - OWN - sys.stdlib_module_names}
    return imported | {name for used, name in ON_USE.items() if used in code}


@pytest.mark.parametrize("example", list(examples()), ids=lambda example: example.name)
def test_what_an_example_needs_is_named_beside_it(example: Example) -> None:
    """By a command that installs it, or an extra that brings it."""
    assert needed(example.code) <= named(example.text)


def test_the_readme_says_what_the_vector_store_of_its_notebook_needs() -> None:
    """It is spoken of there, and imported in the notebook."""
    (sentence,) = re.findall(r"[^.]*`InMemoryVectorStore`[^.]*\.", README)
    assert "`pip install numpy`" in sentence


def test_all_brings_what_every_block_of_the_readme_needs() -> None:
    """Somebody who typed the longest of the commands is told no further one."""
    brought = named('pip install "qwen-portal[all]"')
    for example in examples():
        if example.name.startswith("README"):
            assert needed(example.code) <= brought, example.name
