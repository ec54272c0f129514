"""The notebooks run from the first cell to the last on drawn pictures, hold no logic of their own, and show results."""

from __future__ import annotations

import ast
import base64
import io
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image

from tests.drawn_lesions import draw_split
from tests.tiny_bundle import lesion, write_tiny_bundle

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LOGIC = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.While, ast.Try)
IN_PART = {"train": 3, "val": 10, "test": 2}  # of each class; parity wants 64 validation images


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(book: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in book.cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A split of drawn lesions, and the tiny bundle that tells their colours apart."""
    folder = tmp_path_factory.mktemp("drawn")

    def draw(number: int, label: str, target: Path) -> None:
        lesion(label, (96 + number, 80)).save(target)

    draw_split(folder, IN_PART, draw=draw)
    write_tiny_bundle(folder / "bundle")
    return folder


def test_there_are_the_four_notebooks() -> None:
    names = ["01_data_exploration", "02_training", "03_evaluation", "04_gradcam"]
    assert [path.stem for path in NOTEBOOKS] == names


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_on_drawn_pictures(path: Path, drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {
        "DERMALENS_SPLIT": str(drawn / "split.csv"),
        "DERMALENS_OUT": str(drawn / "out"),
        "DERMALENS_BUNDLE": str(drawn / "bundle"),
        "DERMALENS_EVERY": "1",
        "JUPYTER_RUNTIME_DIR": str(drawn / "runtime"),
        "IPYTHONDIR": str(drawn / "ipython"),
        "OMP_NUM_THREADS": "1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DERMALENS_PHOTOGRAPHS", raising=False)
    book = read(path)
    for cell in code_cells(book):
        cell.outputs, cell.execution_count = [], None
    NotebookClient(book, timeout=300, resources={"metadata": {"path": FOLDER}}).execute()
    assert all(cell.execution_count for cell in code_cells(book))
    assert pictures(book) >= {"01": 1, "02": 1, "03": 0, "04": 3}[path.stem[:2]]
    assert kinds(book) == kinds(read(path)), "the stored outputs are of other cells: run jupyter execute (README.md)"


def pictures(book: nbformat.NotebookNode) -> int:
    """How many PNG outputs there are, each of which can be opened."""
    found = [output.data["image/png"] for cell in code_cells(book) for output in cell.outputs if is_picture(output)]
    return sum(Image.open(io.BytesIO(base64.b64decode(png))).width > 32 for png in found)


def is_picture(output: nbformat.NotebookNode) -> bool:
    return "image/png" in output.get("data", {})


def kinds(book: nbformat.NotebookNode) -> list[list[str]]:
    """For each cell what it puts out; a warning on standard error is nothing that belongs there."""
    return [[output.get("name", output.output_type) for output in cell.outputs] for cell in code_cells(book)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_calls_the_package_and_holds_no_logic(path: Path) -> None:
    cells = [ast.parse(cell.source) for cell in code_cells(read(path))]
    assert [node for tree in cells for node in ast.walk(tree) if isinstance(node, LOGIC)] == []
    assert sum(len(cell.source.splitlines()) for cell in code_cells(read(path))) < 40


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_stored_outputs_are_those_of_one_run_from_top_to_bottom(path: Path) -> None:
    book = read(path)
    assert [cell.execution_count for cell in code_cells(book)] == list(range(1, len(code_cells(book)) + 1))
    assert not {"error", "stderr"} & {kind for cell in kinds(book) for kind in cell}


def test_no_photograph_is_stored_unless_it_is_asked_for() -> None:
    source = "\n".join(cell.source for cell in code_cells(read(FOLDER / "04_gradcam.ipynb")))
    assert 'photographs = os.environ.get("DERMALENS_PHOTOGRAPHS") == "1"' in source
    assert source.count("draw_gallery(") == source.count("photographs=photographs") == 2
