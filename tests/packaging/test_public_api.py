"""The public names: what is promised, what is loaded on first use and what type checkers read agree."""

import ast
import importlib
import inspect
from pathlib import Path
from types import ModuleType

import pytest

import langchain_qwen_portal
import qwen_portal
from qwen_portal import errors

ROOT = Path(__file__).parents[2]
# The packages whose names are loaded on first use.
LAZY = [qwen_portal, langchain_qwen_portal]

# Where other people's programs find more than `qwen_portal` itself has.
PATHS = {
    "qwen_portal.oauth": {
        "DeviceAuthorization",
        "TokenResponse",
        "generate_pkce",
        "poll",
        "refresh",
        "request_device_code",
    },
    "qwen_portal.emulator": {
        "SCENARIOS",
        "Emulator",
        "LogEntry",
        "Place",
        "Scenario",
        "Settings",
        "UnknownScenarioError",
        "serve",
    },
}


def static_names(package: ModuleType) -> dict[str, str]:
    """Return each name that a type checker reads, and the module it comes from."""
    source = ast.parse((ROOT / package.__name__ / "__init__.py").read_text("utf-8"))
    (block,) = (node for node in source.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module or "" for node in imports for alias in node.names}


def loaded_from(package: ModuleType, name: str) -> str:
    """Return the module that a name is loaded from on first use; of a sub-package, the package."""
    value = getattr(package, name)
    return package.__name__ if inspect.ismodule(value) else str(value.__module__)


@pytest.mark.parametrize("package", LAZY)
def test_every_public_name_can_be_loaded_and_the_list_is_sorted(package: ModuleType) -> None:
    """The lazy names are real, and nothing else is promised."""
    assert package.__all__ == sorted(package.__all__)
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError):
        package.nonsense  # noqa: B018 - the look-up is the test


@pytest.mark.parametrize("package", LAZY)
def test_type_checkers_read_exactly_the_promised_names(package: ModuleType) -> None:
    """A name that is added in one of the two places works for half of the users."""
    assert static_names(package).keys() | {"__version__"} == set(package.__all__)


@pytest.mark.parametrize("package", LAZY)
def test_each_name_is_loaded_from_where_type_checkers_read_it(package: ModuleType) -> None:
    """The lazy map and the imports for type checkers name the same modules."""
    assert {name: loaded_from(package, name) for name in static_names(package)} == static_names(package)


@pytest.mark.parametrize("package", LAZY)
def test_the_lazy_map_names_nothing_that_is_not_public(package: ModuleType) -> None:
    """An entry that stays behind would be dead."""
    assert package._HOMES.keys() <= set(package.__all__)


def test_every_error_of_the_tree_is_public() -> None:
    """Whoever catches an error can name it without a look into the package."""
    classes = {name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}
    assert {name for name in classes if name.startswith("Qwen")} <= set(qwen_portal.__all__)


@pytest.mark.parametrize(("path", "names"), PATHS.items(), ids=PATHS)
def test_the_public_sub_packages_hold_their_names(path: str, names: set[str]) -> None:
    """Programs import these paths; within, files may move."""
    module = importlib.import_module(path)
    assert {name for name in names if not hasattr(module, name)} == set()
