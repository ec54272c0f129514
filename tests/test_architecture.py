"""The rules that no reviewer should have to hold (house style; layers are import-linter's, see pyproject.toml)."""

import ast
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

import dermalens
from dermalens.train.ensemble_recipe import read_any_recipe

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "dermalens"
MODULES = sorted(PACKAGE.rglob("*.py"))
RECIPES = sorted((ROOT / "recipes").glob("*.toml"))

MODULE_LINES = 300
FUNCTION_LINES = 40
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}
BROAD = {"Exception", "BaseException"}

TORCH = ("torch", "torchvision", "timm", "lightning", "pytorch_lightning", "torchmetrics", "onnx", "onnxscript")
SERVING = ("alembic", "babel", "fastapi", "fpdf", "jinja2", "sqlalchemy", "starlette", "structlog", "uvicorn")
EXTRAS = (*TORCH, *SERVING, "cv2", "fsspec", "gradio", "matplotlib", "pyarrow", "ray", "scipy", "sklearn")
WITH_TORCH = ("models", "train", "export", "transforms.augment", "transforms.augment_covers", "evaluate.gradcam")
"""Parts of the package that may import torch; everything else must do without."""
WITH_EXTRAS = (*WITH_TORCH, "evaluate", "records", "serve")

BLOCKED_IMPORT = """
import importlib, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"{{name}} is blocked by this test", name=name)

sys.meta_path.insert(0, Refuse())
for name in {names!r}:
    importlib.import_module(name)
print("imported", len({names!r}))
"""


def named(path: Path) -> str:
    """The dotted name of a module below the package: `core.image`, "" for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def outside(parts: tuple[str, ...]) -> list[str]:
    """Full names of all modules that are in none of `parts`."""
    names = [named(path) for path in MODULES if path.stem != "__main__"]
    kept = [name for name in names if not any(name == part or name.startswith(part + ".") for part in parts)]
    return ["dermalens." + name if name else "dermalens" for name in kept]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def import_with(blocked: tuple[str, ...], names: list[str]) -> subprocess.CompletedProcess[str]:
    code = BLOCKED_IMPORT.format(blocked=blocked, names=names)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


def test_inference_and_the_cli_import_without_any_extra() -> None:
    names = outside(WITH_EXTRAS)
    assert "dermalens.core.errors" in names
    done = import_with(EXTRAS, names)
    assert done.returncode == 0, done.stderr


def test_evaluation_and_recipes_import_without_torch() -> None:
    names = [*outside(WITH_TORCH), "dermalens.train.recipe"]
    done = import_with(TORCH, names)
    assert done.returncode == 0, done.stderr


def test_the_import_block_really_blocks() -> None:
    done = import_with(TORCH, ["dermalens.models.heads"])
    assert done.returncode == 1
    assert "blocked by this test" in done.stderr


def test_no_module_is_longer_than_a_reader_keeps_in_mind() -> None:
    lengths = {named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > MODULE_LINES} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    lengths = {
        f"{named(path)}.{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in MODULES
        for node in functions(path)
    }
    assert {name: length for name, length in lengths.items() if length > FUNCTION_LINES} == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [named(path) for path in MODULES if path.stem in VAGUE_NAMES or path.parent.name in VAGUE_NAMES] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: named(path) or "dermalens")
def test_nothing_is_printed_and_nothing_is_caught_broadly(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    assert [node.lineno for node in nodes if isinstance(node, ast.Call) and is_print(node)] == []
    assert [node.lineno for node in nodes if isinstance(node, ast.ExceptHandler) and is_broad(node)] == []


def is_print(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "print"


def is_broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or (isinstance(kind, ast.Name) and kind.id in BROAD) for kind in caught)


def test_every_name_of_all_can_be_had() -> None:
    assert dermalens.__all__
    assert [name for name in dermalens.__all__ if getattr(dermalens, name, None) is None] == []
    assert len(set(dermalens.__all__)) == len(dermalens.__all__)
    assert set(dermalens.__all__) <= set(dir(dermalens))


def test_all_lists_every_public_name() -> None:
    public = {
        name
        for name, value in vars(dermalens).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    by_language = {"annotations", "TYPE_CHECKING", "Any", "Final", "import_module"}
    assert public - by_language <= set(dermalens.__all__)


def test_importing_the_package_loads_neither_numpy_nor_pillow() -> None:
    code = "import sys, dermalens; print([n for n in ('numpy', 'PIL', 'onnxruntime', 'pydantic') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_there_are_recipes() -> None:
    assert [path.name for path in RECIPES if path.name == "default.toml"] == ["default.toml"]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_parses_and_is_named_as_its_file(path: Path) -> None:
    assert read_any_recipe(path).name == path.stem
