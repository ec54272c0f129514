from __future__ import annotations

import hashlib
import json
from pathlib import Path

import onnx
import pytest

from dermalens.core.bundle import FORMAT_VERSION
from dermalens.core.bundlefile import read_bundle, write_bundle
from dermalens.core.errors import BundleError
from tests.tiny_bundle import tiny_graph, tiny_manifest, tiny_model, write_tiny_bundle


@pytest.fixture
def folder(tmp_path):
    write_tiny_bundle(tmp_path / "bundle")
    return tmp_path / "bundle"


def change(folder, edit):
    """Edit the JSON of a bundle in place."""
    path = folder / "bundle.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def refused(folder):
    with pytest.raises(BundleError) as caught:
        read_bundle(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_what_is_written_is_read_back(folder):
    graphs = {"model.onnx": tiny_graph()}
    bundle = read_bundle(folder)
    assert bundle.manifest == tiny_manifest(graphs)
    assert bundle.graphs == graphs
    assert bundle.sha256 == hashlib.sha256((folder / "bundle.json").read_bytes()).hexdigest()


def test_writing_gives_the_bundle_that_reading_gives(tmp_path):
    assert write_tiny_bundle(tmp_path / "b") == read_bundle(tmp_path / "b")


def test_writing_leaves_nothing_but_the_bundle(folder):
    assert [entry.name for entry in folder.parent.iterdir()] == ["bundle"]
    assert sorted(entry.name for entry in folder.iterdir()) == ["bundle.json", "model.onnx"]


def test_an_existing_bundle_is_replaced_as_a_whole(folder):
    write_tiny_bundle(folder, {"other.onnx": tiny_graph()}, version="2.0")
    assert read_bundle(folder).manifest.version == "2.0"
    assert sorted(entry.name for entry in folder.iterdir()) == ["bundle.json", "other.onnx"]
    assert [entry.name for entry in folder.parent.iterdir()] == ["bundle"]


def test_a_folder_with_other_files_is_not_replaced(folder):
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match=r"notes\.txt"):
        write_tiny_bundle(folder)
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_folder_of_graphs_that_is_no_bundle_is_not_replaced(tmp_path):
    (tmp_path / "precious.onnx").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"precious\.onnx"):
        write_tiny_bundle(tmp_path)


def test_a_file_in_the_way_is_not_replaced(tmp_path):
    (tmp_path / "bundle").write_text("x")
    with pytest.raises(BundleError, match="is not a folder"):
        write_tiny_bundle(tmp_path / "bundle")


def test_a_parent_that_is_a_file_is_one_line_and_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(BundleError, match="cannot be written"):
        write_tiny_bundle(tmp_path / "file" / "bundle")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_failed_replacement_leaves_the_old_bundle(folder):
    """The new graph's name is longer than a file system takes, so writing it fails half-way."""
    before = read_bundle(folder)
    with pytest.raises(BundleError, match="cannot be written"):
        write_tiny_bundle(folder, {"x" * 300 + ".onnx": tiny_graph()})
    assert read_bundle(folder) == before
    assert [entry.name for entry in folder.parent.iterdir()] == ["bundle"]


def test_graphs_other_than_those_of_the_manifest_are_not_written(tmp_path):
    manifest = tiny_manifest({"model.onnx": tiny_graph()})
    with pytest.raises(BundleError, match=r"names model\.onnx; given are other\.onnx"):
        write_bundle(tmp_path / "b", manifest, {"other.onnx": tiny_graph()})
    with pytest.raises(BundleError, match="SHA-256"):
        write_bundle(tmp_path / "b", manifest, {"model.onnx": tiny_graph(pool=4)})
    assert not (tmp_path / "b").exists()


def test_a_missing_folder_is_refused(tmp_path):
    assert "does not exist" in refused(tmp_path / "none")


def test_a_file_instead_of_a_folder_is_refused(folder):
    assert "is a file" in refused(folder / "model.onnx")


def test_a_folder_without_manifest_is_refused(tmp_path):
    assert "has no bundle.json" in refused(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '"text"', "null", "\ufffe"])
def test_what_is_not_a_json_object_is_refused(folder, content):
    (folder / "bundle.json").write_text(content, encoding="utf-16")
    assert "is not a JSON object" in refused(folder)
    (folder / "bundle.json").write_text(content)
    assert "is not a JSON object" in refused(folder)


def test_an_object_without_format_version_is_refused(folder):
    (folder / "bundle.json").write_text("{}")
    assert "has no format_version" in refused(folder)


def test_a_newer_format_says_how_to_upgrade(folder):
    change(folder, lambda content: content.update(format_version=4, novelty=[1]))
    message = refused(folder)
    assert "made by a newer DermaLens: format 4 given, 3 known; upgrade: pip install -U dermalens" in message


def test_a_bundle_of_the_first_format_is_read_and_written_anew_in_the_newest(folder):
    change(folder, lambda content: content.update(format_version=1))
    bundle = read_bundle(folder)
    assert bundle.manifest.format_version == 1
    assert write_bundle(folder, bundle.manifest, bundle.graphs).manifest.format_version == FORMAT_VERSION
    assert read_bundle(folder).manifest.format_version == FORMAT_VERSION


@pytest.mark.parametrize("version", [0, -1, "1", None, 1.5])
def test_a_format_version_that_never_was_is_refused(folder, version):
    change(folder, lambda content: content.update(format_version=version))
    assert "format_version" in refused(folder)


def test_an_unknown_key_is_named(folder):
    change(folder, lambda content: content["calibration"].update(wight=1))
    assert "unknown key calibration.wight" in refused(folder)


def test_a_missing_key_is_named(folder):
    change(folder, lambda content: content.pop("limits"))
    assert "missing key limits" in refused(folder)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize(
    "path",
    [
        ("calibration", "scale", 0),
        ("calibration", "shift", 6),
        ("operating_points", 0, "threshold"),
        ("operating_points", 1, "sensitivity", "value"),
        ("metrics", "balanced_accuracy", "low"),
    ],
)
def test_a_number_that_is_not_finite_is_refused_by_its_path(folder, path, number):
    def edit(content):
        *way, last = path
        for step in way:
            content = content[step]
        content[last] = "here"

    change(folder, edit)
    manifest = folder / "bundle.json"
    manifest.write_text(manifest.read_text().replace('"here"', number))
    assert ".".join(map(str, path)) in refused(folder)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda content: content["members"].append(content["members"][0]), "two graphs have the same file name"),
        (
            lambda content: content.update(classes=list("abcdefg"), malignant=list("abcdefg")),
            "malignant must name some, not all, of the classes",
        ),
        (lambda content: content["malignant"].append("mel"), "malignant has mel more than once; needed is each once"),
        (
            lambda content: content["operating_points"].append(content["operating_points"][0] | {"threshold": 0.9}),
            "operating_points has sensitivity_90 more than once",
        ),
        (lambda content: content["classes"].append("nv"), "classes has nv more than once"),
        (lambda content: content["views"].extend(["flip", "flip"]), "views has flip more than once"),
        (lambda content: content["calibration"].update(scale=[1.0, 0.0] + [1.0] * 5), "calibration.scale.1"),
        (lambda content: content["calibration"].update(scale=[-1.0] * 7), "calibration.scale.0"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(folder, edit, message):
    change(folder, edit)
    assert message in refused(folder)


def test_classes_in_another_order_are_refused(folder):
    change(folder, lambda content: content["classes"].reverse())
    message = refused(folder)
    assert "classes are in the order vasc nv mel df bkl bcc akiec" in message
    assert "needed is akiec bcc bkl df mel nv vasc" in message


def test_a_missing_graph_is_named(folder):
    (folder / "model.onnx").unlink()
    assert "has no model.onnx" in refused(folder)


def test_a_changed_graph_is_refused(folder):
    content = bytearray((folder / "model.onnx").read_bytes())
    content[-1] ^= 1
    (folder / "model.onnx").write_bytes(content)
    message = refused(folder)
    assert "SHA-256" in message
    assert hashlib.sha256(tiny_graph()).hexdigest() in message


@pytest.mark.parametrize("name", ["../model.onnx", "/tmp/model.onnx", "a\\b.onnx", ".onnx", "..", "model.bin"])
def test_a_graph_must_be_a_plain_file_name(folder, name):
    change(folder, lambda content: content["members"][0].update(file=name))
    assert "members.0.file" in refused(folder)


@pytest.mark.parametrize("name", ["model.onnx", "bundle.json"])
def test_a_link_out_of_the_folder_is_refused(folder, name):
    (folder / name).rename(folder.parent / name)
    (folder / name).symlink_to(folder.parent / name)
    assert "outside the bundle" in refused(folder)


def test_a_link_to_the_bundle_itself_is_fine(folder):
    (folder.parent / "current").symlink_to(folder, target_is_directory=True)
    assert read_bundle(folder.parent / "current") == read_bundle(folder)


def test_a_graph_with_external_data_outside_the_bundle_is_refused_by_path(folder):
    model = tiny_model()
    onnx.external_data_helper.convert_model_to_external_data(model, location="../../secret.bin", size_threshold=0)
    for tensor in model.graph.initializer:
        onnx.external_data_helper.set_external_data(tensor, location="../../secret.bin")
    content = model.SerializeToString()
    (folder / "model.onnx").write_bytes(content)
    change(folder, lambda manifest: manifest["members"][0].update(sha256=hashlib.sha256(content).hexdigest()))
    message = refused(folder)
    assert "wants data from other files, which is refused" in message
    assert "../../secret.bin" in message


def test_a_graph_that_is_not_onnx_is_refused(folder):
    (folder / "model.onnx").write_bytes(b"hello")
    change(folder, lambda manifest: manifest["members"][0].update(sha256=hashlib.sha256(b"hello").hexdigest()))
    assert "not a" in refused(folder)


def failing_rename(monkeypatch, *names):
    rename = Path.rename

    def fail(self, target):
        if self.name in names:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)


def test_the_old_bundle_comes_back_where_the_new_one_cannot_take_its_place(folder, monkeypatch):
    before = read_bundle(folder)
    failing_rename(monkeypatch, "new")
    with pytest.raises(BundleError, match="cannot be written"):
        write_tiny_bundle(folder, version="2.0")
    assert read_bundle(folder) == before
    assert [entry.name for entry in folder.parent.iterdir()] == ["bundle"]


def test_neither_bundle_is_removed_where_the_old_one_cannot_come_back(folder, monkeypatch):
    failing_rename(monkeypatch, "new", "old")
    with pytest.raises(BundleError):
        write_tiny_bundle(folder, version="2.0")
    assert len(list(folder.parent.rglob("bundle.json"))) == 2
