"""What the repository must not hold, and what its settings files must agree on."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.canaries import KEY

ROOT = Path(__file__).parents[2]
PACKAGES = ("qwen_portal", "langchain_qwen_portal", "litellm_qwen_portal")

# Written in pieces, so that this file does not hold what it looks for.
REGISTRY = re.compile(
    r"py"
    r"pi\.org|python"
    r"hosted\.org|registry\.npm"
    r"js\.org|registry\.yarn"
    r"pkg\.com|deb\.deb"
    r"ian\.org"
    r"|--(extra-)?index"
    r"-url|--find"
    r"-links|^\s*(extra-)?index-url\s*="
    r"|\"resolved\": *\"https?:|registry *= *\"?https?:",
    re.MULTILINE,
)
TOKEN = re.compile(r"(?:Bearer|(?:access|refresh)_token)[\"' :=]+[A-Za-z0-9_-]{24,}|\bsk-[A-Za-z0-9_-]{20,}")
PUBLISHED = (
    "cassettes/",
    "notebooks/",
    "docs/",
    "examples/",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
)

# The contract of the environment; programs and notebooks of other people rely on these names.
ENVIRONMENT = {
    "QWEN_CLI_PATH",
    "QWEN_OAUTH_CLIENT_ID",
    "QWEN_PORTAL_ACCOUNT",
    "QWEN_PORTAL_ALLOWED_HOSTS",
    "QWEN_PORTAL_API_KEY",
    "QWEN_PORTAL_BASE_URL",
    "QWEN_PORTAL_CLIENT_ID",
    "QWEN_PORTAL_HOME",
    "QWEN_PORTAL_LOG",
    "QWEN_PORTAL_OAUTH_URL",
    "QWEN_PORTAL_ON_QUOTA",
    "QWEN_PORTAL_PLAN",
    "QWEN_PORTAL_QUOTA_COOLDOWN",
    "QWEN_PORTAL_REQUEST_LOG",
    "QWEN_PORTAL_STORE",
    "QWEN_PORTAL_TIMEOUT",
    "QWEN_TOKEN_PATH",
}


def repository_files() -> list[str]:
    """Return the paths of all files git knows or would add; of an unpacked sdist, those under its folders."""
    if (ROOT / ".git").exists():
        listing = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        return [name for name in listing.split("\0") if name and (ROOT / name).is_file()]
    made = {".venv", ".real", "dist", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
    paths = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return [path.as_posix() for path in paths if not made.intersection(path.parts)]


def matches(pattern: re.Pattern[str], names: list[str]) -> Iterator[str]:
    """Yield `file:line` for each match of `pattern` in the named files."""
    for name in names:
        text = (ROOT / name).read_bytes().decode("utf-8", errors="replace")
        for match in pattern.finditer(text):
            yield f"{name}:{text.count(chr(10), 0, match.start()) + 1}"


def test_no_file_names_a_package_registry() -> None:
    """A clone installs from wherever its user's pip and npm are told to, never from an address of ours."""
    assert list(matches(REGISTRY, repository_files())) == []


def test_no_resolver_file_of_another_tool_is_kept() -> None:
    """Lock files of uv and npm hold registry addresses; the hashed requirements take their place."""
    names = {Path(name).name for name in repository_files()}
    assert names.isdisjoint({"uv.lock", "poetry.lock", "package-lock.json", "yarn.lock", ".npmrc", "pip.conf"})


def test_published_files_hold_no_token_shapes() -> None:
    """Neither documentation nor notebooks nor cassettes hold anything that could be a credential."""
    published = [name for name in repository_files() if name.startswith(PUBLISHED)]
    assert list(matches(TOKEN, published)) == []


def test_no_other_file_holds_one_either() -> None:
    """Of the tests, one key has the shape: a canary, which says of itself that it is none."""
    found = list(matches(TOKEN, repository_files()))
    assert [place.partition(":")[0] for place in found] == ["tests/canaries.py"]
    assert TOKEN.search(KEY)
    assert "CANARY" in KEY


@pytest.mark.parametrize(
    "line",
    ["Authorization: Bearer " + "a1" * 12, '"refresh_token": "' + "Zz_-" * 6, "key = sk-" + "0" * 20],
)
def test_token_shapes_are_recognised(line: str) -> None:
    """The search for tokens finds the shapes that a recording would leave behind."""
    assert TOKEN.search(line)


@pytest.mark.parametrize(
    "line",
    [
        "https://" + "py" + "pi.org/simple",
        "--index" + "-url https://mirror",
        '"resolved"' + ': "https://mirror/x.tgz"',
    ],
)
def test_registry_lines_are_recognised(line: str) -> None:
    """The search for registries finds what pip, uv and npm would leave behind."""
    assert REGISTRY.search(line)


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: str(path.stem))
def test_every_pinned_requirement_has_a_hash(path: Path) -> None:
    """`pip install --require-hashes` is the only way in, so every pin carries at least one sha256."""
    text = path.read_text("utf-8").replace("\\\n", " ")
    pins = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert len(pins) > 1
    assert [pin for pin in pins if not re.match(r"[a-z0-9.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", pin)] == []


def test_env_example_lists_the_contract() -> None:
    """`.env.example` names each variable of the contract exactly once, commented out, and no other."""
    listed = re.findall(r"^# (QWEN_[A-Z_]+)=", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(ENVIRONMENT)


def test_env_example_sets_nothing() -> None:
    """Copied as it is to `.env`, the file changes no default."""
    lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
    assert [line for line in lines if line and not line.startswith("# ")] == []


def test_code_reads_no_variable_outside_the_contract() -> None:
    """A QWEN_PORTAL_* name that the code quotes is one that `.env.example` documents."""
    sources = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    quoted = {
        name
        for path in sources
        for name in re.findall(r"[\"'](QWEN_PORTAL_[A-Z_]*[A-Z])[\"']", path.read_text("utf-8"))
    }
    assert quoted - ENVIRONMENT == set()


def test_changelog_starts_with_the_current_version() -> None:
    """The first section of the changelog is that of the version in the code."""
    version = re.search(r'__version__ = "(.+)"', (ROOT / "qwen_portal" / "_version.py").read_text("utf-8"))
    newest = re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert version
    assert newest
    assert newest[1] == version[1]
