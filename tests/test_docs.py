"""The documents lead somewhere, and no file knows the machine that it was written on."""

import importlib.util
import re
import subprocess
import tempfile
import tomllib
from itertools import chain
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image, ImageChops, ImageStat

ROOT = Path(__file__).parents[1]
TOP_FOLDERS = ("benchmarks", "docs", "notebooks", "recipes", "requirements", "src", "tests", "web")
OWN_FOLDERS = {".git", ".venv", ".venv-base", "runs", "work", "dist", "build"}
# Put together here, so that this file does not hold what it looks for.
REGISTRY = re.compile(r"(?:pypi|pythonhosted|npmjs|yarnpkg|anaconda|download\.pytorch)\.(?:org|com)", re.IGNORECASE)
INDEX_OPTION = re.compile(r"(?:index-url|find-links|\"resolved\"|registry *=).*https?:" + "//")


def project_files() -> list[Path]:
    """Files under version control or about to be; where there is no git, all but environments and outputs."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        found = [path for path in ROOT.rglob("*") if not OWN_FOLDERS & set(path.relative_to(ROOT).parts)]
        return [path for path in found if path.is_file()]
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


FILES = project_files()
DOCUMENTS = [path for path in FILES if path.suffix == ".md"]


def written(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose(path: Path) -> str:
    """The text of a document without its code blocks."""
    return re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """The anchors that a forge makes of a document's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=written)
def test_every_link_of_a_document_leads_to_a_file_of_the_project(document: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(<?([^)>]+)>?\)", prose(document)):
        name, _, anchor = target.partition("#")
        if name.startswith(("http://", "https://", "mailto:")):
            continue
        file = document.parent / name if name else document
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=written)
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    named = re.findall(rf"`((?:{'|'.join(TOP_FOLDERS)})/[\w./*-]+)`", prose(document))
    assert [path for path in named if not any(ROOT.glob(path.rstrip("/")))] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=written)
def test_every_make_target_that_a_document_names_exists(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, flags=re.MULTILINE))
    text = document.read_text(encoding="utf-8")
    assert set(re.findall(r"(?:`|^|\$ )make ([a-z]+)", text, flags=re.MULTILINE)) - targets == set()


def test_every_page_of_the_docs_is_in_their_table_of_contents() -> None:
    contents = ROOT / "docs" / "README.md"
    linked = {(contents.parent / target).resolve() for target in re.findall(r"\]\(([^)#]+)\)", prose(contents))}
    pages = {path for path in DOCUMENTS if path.is_relative_to(ROOT / "docs") and path != contents}
    assert {written(page) for page in pages if page.resolve() not in linked} == set()


def test_no_file_names_this_machine_or_a_package_registry() -> None:
    shared = {Path("/"), Path(tempfile.gettempdir())}  # a checkout below these says nothing about the machine
    machine = [f"{folder}/" for folder in {ROOT, ROOT.parent, Path.home()} - shared]
    found = []
    for path in FILES:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if REGISTRY.search(text) or INDEX_OPTION.search(text) or any(folder in text for folder in machine):
            found.append(written(path))
    assert found == []


def draw_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw", ROOT / "docs" / "examples" / "draw.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["drawn_mole.jpg", "drawn_irregular.jpg", "drawn_vessels.jpg"])
def test_the_example_images_are_what_their_script_draws(name: str) -> None:
    file = ROOT / "docs" / "examples" / name
    drawn = draw_script().draw(name)
    with Image.open(file) as saved:
        difference = ImageStat.Stat(ImageChops.difference(saved.convert("RGB"), drawn)).mean
    assert max(difference) < 2.5  # what JPEG at quality 85 changes
    assert file.stat().st_size < 60_000


def dependencies() -> list[str]:
    """Every package that an extra or the development tools ask for, without its version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"].values()
    asked = [*project["project"]["dependencies"], *chain(*extras, *project["dependency-groups"].values())]
    names = {re.split(r"[<>=;\[ ]", one, maxsplit=1)[0] for one in asked if isinstance(one, str)}
    return sorted(names - {"dermalens"})


@pytest.mark.parametrize("package", dependencies())
def test_every_dependency_has_a_note_in_the_decisions(package: str) -> None:
    notes = "\n".join(prose(path).lower() for path in (ROOT / "docs" / "decisions").glob("*.md"))
    assert package.lower().replace("_", "-") in notes.replace("_", "-")
