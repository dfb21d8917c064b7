"""CONTRIBUTING.md names files, targets and Python versions that are there."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def test_every_file_it_names_is_there() -> None:
    """A path between backticks is one of the sdist; NAME stands for one that is to be written."""
    paths = set(re.findall(r"`([A-Za-z_]+/[A-Za-z0-9_./-]+)`", TEXT))

    assert {"tests/conftest.py", "scripts/lanes.sh"} <= paths
    assert [path for path in paths if "NAME" not in path and not (ROOT / path).exists()] == []


def test_every_target_it_names_is_one_of_the_makefile() -> None:
    """Each tier can be typed as it stands, and each target that tests something is a tier."""
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    tiers = set(re.findall(r"^\| `make ([a-z-]+)` \|", TEXT, re.MULTILINE))

    by_hand = {"lanes", "mutants", "torture", "fuzz", "peers", "soak", "soak-peers"}
    assert {"lint", "types", "test", "demo", "test-real"} | by_hand == tiers
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", TEXT, re.MULTILINE)) <= targets


def test_the_classifiers_are_the_versions_that_were_seen_to_pass() -> None:
    """Who adds a version to one of the two lists has tried it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert named == re.findall(r"^\| (3\.\d+) \| .*\w.* \|$", TEXT, re.MULTILINE)
