"""What the built wheel holds, and that the suite runs against it."""

import configparser
import email.message
import email.parser
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from importlib.metadata import EntryPoint
from pathlib import Path, PurePosixPath

import pytest

import qwen_portal
from qwen_portal._version import __version__
from tests.packaging.test_repository import TOKEN

ROOT = Path(__file__).parents[2]
PACKAGES = {"qwen_portal", "langchain_qwen_portal", "litellm_qwen_portal"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel under test: the one that the Makefile built, else one built here from the checkout."""
    if "TESTED_WHEEL_DIR" in os.environ:
        folder = Path(os.environ["TESTED_WHEEL_DIR"])
    else:
        folder = tmp_path_factory.mktemp("wheel")
        subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture
def metadata(wheel: zipfile.ZipFile) -> email.message.Message:
    """The wheel's METADATA file."""
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return email.parser.Parser().parsestr(wheel.read(name).decode())


def test_suite_runs_against_what_it_says() -> None:
    """Under `make`, the package comes from the installed wheel and never from the checkout beside it."""
    where = sysconfig.get_path("purelib") if "TESTED_WHEEL_DIR" in os.environ else ROOT
    assert Path(qwen_portal.__file__).is_relative_to(where)


def test_wheel_holds_the_three_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """No tests, no stray top-level module that would shadow somebody's import."""
    tops = {PurePosixPath(name).parts[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES


def test_wheel_holds_no_start_up_hooks(wheel: zipfile.ZipFile) -> None:
    """A *.pth file runs code whenever Python starts; poisoned releases of other packages used that."""
    assert [name for name in wheel.namelist() if name.endswith(".pth")] == []


def test_wheel_holds_no_token_shapes(wheel: zipfile.ZipFile) -> None:
    """Whatever lay about in the checkout when it was built."""
    assert [name for name in wheel.namelist() if TOKEN.search(wheel.read(name).decode("utf-8", "replace"))] == []


def test_source_distribution_holds_no_token_shapes(tmp_path: Path) -> None:
    """Nor does what packagers get, apart from the canary of the tests."""
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path], cwd=ROOT, check=True)
    (path,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        files = [member for member in archive if member.isfile()]
        texts = {file.name: archive.extractfile(file).read().decode("utf-8", "replace") for file in files}  # type: ignore[union-attr]
    assert len(texts) > 300
    assert [name.partition("/")[2] for name, text in texts.items() if TOKEN.search(text)] == ["tests/canaries.py"]


def test_each_package_is_typed(wheel: zipfile.ZipFile) -> None:
    """PEP 561: type checkers read a package's annotations only beside a py.typed file."""
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(wheel.namelist())


def test_metadata_states_python_licence_and_version(metadata: email.message.Message) -> None:
    """What an index shows about the distribution is what the project says."""
    assert metadata["Name"] == "qwen-portal"
    assert metadata["Version"] == __version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"


def test_litellm_finds_the_provider_among_the_entry_points(wheel: zipfile.ZipFile) -> None:
    """The group is LiteLLM's, and what it names is the handler's class."""
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt"))
    listed = configparser.ConfigParser()
    listed.read_string(wheel.read(name).decode())
    found = EntryPoint(name="qwen-portal", value=listed["litellm"]["qwen-portal"], group="litellm").load()
    assert found.__name__ == "QwenPortalLLM"


def test_extras_are_those_of_the_contract(metadata: email.message.Message) -> None:
    """Installation commands of other people name these extras."""
    assert set(metadata.get_all("Provides-Extra", [])) == {
        "all",
        "emulator",
        "langchain",
        "litellm",
        "notebook",
        "openai",
        "proxy",
        "redis",
        "socks",
    }


def test_core_install_brings_neither_framework(metadata: email.message.Message) -> None:
    """A plain install has the seven core dependencies; LangChain and LiteLLM come with their extras."""
    required = {
        line.split(">")[0].split("<")[0] for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line
    }
    assert required == {"click", "filelock", "httpx", "keyring", "platformdirs", "rich", "segno"}


def test_command_is_declared(wheel: zipfile.ZipFile) -> None:
    """Installing the wheel puts `qwen-portal` on PATH."""
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt"))
    assert "qwen-portal = qwen_portal.cli:main" in wheel.read(name).decode().splitlines()


def test_no_dependency_brings_an_unknown_start_up_hook() -> None:
    """The *.pth files in the environment are setuptools' and coverage's, which follows subprocesses."""
    hooks = {path.name for path in Path(sysconfig.get_path("purelib")).glob("*.pth")}
    assert hooks <= {"a1_coverage.pth", "distutils-precedence.pth"}
