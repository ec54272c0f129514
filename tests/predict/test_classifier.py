from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageOps

import dermalens
from dermalens.core.bundle import Calibration
from dermalens.core.errors import BundleError, DermaLensError, ImageError
from dermalens.core.spec import Background, PreprocessSpec
from dermalens.core.square import Square, centre_of
from dermalens.core.taxonomy import CLASSES
from dermalens.predict import classifier as classifier_module
from dermalens.predict.classifier import load
from dermalens.predict.explain import explain
from tests.tiny_bundle import COLOURS, SIDE, lesion, tiny_graph, write_equipped_bundle, write_tiny_bundle

KEYS = [
    "image",
    "diagnosis",
    "probabilities",
    "malignant_probability",
    "decision",
    "reasons",
    "recommendation",
    "bundle",
    "limits",
    "operating_point",
    "quality",
    "notes",
    "prediction_set",
    "prevalence",
    "lesion_image",
    "outline",
    "abcd",
    "similar",
    "similar_malignant_share",
    "square",
]


def png(picture: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", **options)
    return buffer.getvalue()


def flat(classifier, source, **options):
    """The answer without the name of the image."""
    return classifier.predict(source, **options).as_dict() | {"image": ""}


@pytest.mark.parametrize("code", COLOURS)
def test_each_colour_is_told_apart(classifier, code):
    assert classifier.predict(lesion(code)).diagnosis == code


def test_path_bytes_picture_and_array_give_the_same_answer(classifier, tmp_path):
    picture = lesion("bkl")
    (tmp_path / "a.png").write_bytes(png(picture))
    sources = [str(tmp_path / "a.png"), tmp_path / "a.png", png(picture), picture, np.asarray(picture)]
    answers = [flat(classifier, source) for source in sources]
    assert answers.count(answers[0]) == len(sources)


def test_an_answer_names_its_image(classifier, tmp_path):
    (tmp_path / "a.png").write_bytes(png(lesion("nv")))
    picture = lesion("nv")
    sources = [tmp_path / "a.png", png(picture), picture, np.asarray(picture)]
    names = [classifier.predict(source).image for source in sources]
    assert names == [str(tmp_path / "a.png"), "<bytes>", "<image>", "<array>"]
    assert classifier.predict(picture, name="left arm").image == "left arm"


def test_the_keys_of_an_answer_and_their_order_are_fixed(classifier):
    answer = classifier.predict(lesion("mel")).as_dict()
    assert list(answer) == KEYS
    assert list(answer["probabilities"]) == ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"]
    assert list(answer["bundle"]) == ["name", "version", "sha256"]
    assert list(answer["operating_point"]) == ["name", "threshold", "sensitivity", "specificity"]
    assert set(answer["quality"]) > {"source_side_pixels", "contrast", "findings"}


def test_an_answer_adds_up(classifier):
    answer = classifier.predict(lesion("akiec")).as_dict()
    shares = answer["probabilities"]
    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
    assert answer["malignant_probability"] == pytest.approx(shares["akiec"] + shares["bcc"] + shares["mel"], abs=1e-9)
    assert answer["diagnosis"] == max(shares, key=shares.get)
    assert answer["decision"] == "refer"
    assert answer["bundle"] == {"name": "tiny", "version": "1.0", "sha256": classifier.bundle.sha256}
    assert answer["limits"] == ["Not a medical device.", "Knows seven colours."]


def test_the_same_picture_gives_the_same_answer_twice(classifier):
    assert classifier.predict(lesion("df")) == classifier.predict(lesion("df"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_exif_orientation_does_not_change_the_answer(classifier, orientation):
    upright = lesion("nv")
    inverse = {6: 8, 8: 6}.get(orientation, orientation)
    exif = Image.Exif()
    exif[274] = inverse
    probe = upright.copy()
    probe.getexif()[274] = inverse
    stored = ImageOps.exif_transpose(probe)
    exif[274] = orientation
    found = classifier.predict(png(stored, exif=exif))
    expected = classifier.predict(upright)
    assert list(found.probabilities.values()) == pytest.approx(list(expected.probabilities.values()), abs=1e-6)
    heat = classifier.predict(png(stored, exif=exif), heatmap=True).explanation.heat
    assert heat == pytest.approx(classifier.predict(upright, heatmap=True).explanation.heat, abs=1e-5)


def test_a_blank_picture_gets_no_answer_but_a_reason(classifier):
    prediction = classifier.predict(Image.new("RGB", (200, 200), COLOURS["mel"]))
    assert prediction.decision == "abstain"
    assert "without detail" in prediction.reasons[0]


def test_another_operating_point_is_obeyed(classifier):
    prediction = classifier.predict(lesion("nv"), operating_point="sensitivity_90")
    assert prediction.operating_point.threshold == 0.3
    assert classifier.predict(lesion("nv")).operating_point.threshold == 0.1


def test_an_unknown_operating_point_lists_those_there_are(classifier):
    with pytest.raises(DermaLensError, match=r"No operating point 'best'.*sensitivity_90, sensitivity_95"):
        classifier.predict(lesion("nv"), operating_point="best")


def test_calibration_reaches_the_answer(classifier, tmp_path):
    shift = [0.0, 0.0, 0.0, 0.0, 50.0, 0.0, 0.0]
    calibration = Calibration(method="vector", scale=[1.0] * 7, shift=shift, n=1)
    write_tiny_bundle(tmp_path / "b", calibration=calibration)
    assert load(tmp_path / "b").predict(lesion("nv")).diagnosis == "mel"


def test_a_calibration_that_overflows_is_the_fault_of_the_bundle(tmp_path):
    calibration = Calibration(method="vector", scale=[1e308] * 7, shift=[0.0] * 7, n=1)
    write_tiny_bundle(tmp_path / "b", calibration=calibration)
    with pytest.raises(BundleError, match="not finite"):
        load(tmp_path / "b").predict(lesion("nv"))


def test_views_and_members_of_the_same_network_change_nothing(classifier, tmp_path):
    graphs = {"a.onnx": tiny_graph(), "b.onnx": tiny_graph()}
    write_tiny_bundle(tmp_path / "b", graphs, views=["identity", "flip", "turn_90", "flip_270"])
    averaged = load(tmp_path / "b").predict(lesion("bcc"))
    alone = classifier.predict(lesion("bcc"))
    assert list(averaged.probabilities.values()) == pytest.approx(list(alone.probabilities.values()), abs=1e-5)


def test_the_heat_map_lies_where_the_colour_is(classifier):
    picture = lesion("df", (256, 256))
    pixels = np.asarray(picture).copy()
    pixels[:100, 156:] = (75, 255, 75)
    explanation = classifier.predict(pixels, heatmap=True).explanation
    row, column = np.unravel_index(explanation.heat.argmax(), explanation.heat.shape)
    assert explanation.code == "df"
    assert row < 64 * 100 / 256
    assert column > 64 * 156 / 256


def test_no_heat_map_is_made_unless_asked_for(classifier):
    assert classifier.predict(lesion("df")).explanation is None


def test_a_missing_file_is_named(classifier, tmp_path):
    with pytest.raises(ImageError, match=r"none\.jpg"):
        classifier.predict(tmp_path / "none.jpg")


def test_a_bad_file_is_named(classifier, tmp_path):
    (tmp_path / "bad.jpg").write_text("text")
    with pytest.raises(ImageError, match=r"bad\.jpg: "):
        classifier.predict(tmp_path / "bad.jpg")


def test_a_folder_is_not_an_image(classifier, tmp_path):
    with pytest.raises(ImageError, match="is a folder; name an image"):
        classifier.predict(tmp_path)


def test_an_empty_path_is_not_the_folder_one_is_in(classifier):
    with pytest.raises(ImageError, match="An empty path was given; name an image"):
        classifier.predict("")
    with pytest.raises(BundleError, match="An empty path was given; name a bundle folder"):
        load("")


def test_a_name_that_is_too_long_is_an_image_error(classifier):
    with pytest.raises(ImageError, match="cannot be read"):
        classifier.predict("x" * 5000)


def test_something_else_is_a_type_error(classifier):
    with pytest.raises(TypeError, match="given is list"):
        classifier.predict([1, 2])


def test_a_graph_that_does_not_fit_its_manifest_is_refused_on_load(tmp_path):
    write_tiny_bundle(tmp_path / "b", {"model.onnx": tiny_graph(side=96)})
    with pytest.raises(BundleError, match=r"model\.onnx has the input pixels"):
        load(tmp_path / "b")


def test_a_version_that_a_terminal_might_obey_is_refused_on_load(tmp_path):
    write_tiny_bundle(tmp_path / "b")
    content = json.loads((tmp_path / "b" / "bundle.json").read_bytes())
    for version in ("1.0\x1b[31m", "1\n", "", "é"):
        (tmp_path / "b" / "bundle.json").write_text(json.dumps(content | {"version": version}))
        with pytest.raises(BundleError, match="version: String should match pattern"):
            load(tmp_path / "b")


def test_without_a_packaged_bundle_the_error_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(classifier_module, "DEFAULT_BUNDLE", tmp_path / "none")
    with pytest.raises(BundleError, match="--bundle PATH"):
        load()


def test_the_packaged_bundle_is_what_load_takes_by_default(monkeypatch, bundle_folder):
    monkeypatch.setattr(classifier_module, "DEFAULT_BUNDLE", bundle_folder)
    assert dermalens.load().manifest.name == "tiny"


def test_the_public_names_are_these_and_all_exist():
    assert dermalens.__all__ == ["Classifier", "DermaLensError", "Prediction", "Square", "__version__", "load"]
    assert all(hasattr(dermalens, name) for name in dermalens.__all__)
    assert set(dermalens.__all__) <= set(dir(dermalens))
    assert not hasattr(dermalens, "nonsense")


def test_importing_dermalens_loads_none_of_its_heavy_parts():
    heavy = "numpy onnxruntime PIL pydantic rich torch typer"
    code = f"import sys, dermalens; print([m for m in '{heavy}'.split() if m in sys.modules])"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "[]"


def two_lesions() -> Image.Image:
    """A mole in the left half and a vascular lesion in the right one."""
    picture = Image.new("RGB", (400, 200))
    picture.paste(lesion("nv", (200, 200)), (0, 0))
    picture.paste(lesion("vasc", (200, 200)), (200, 0))
    return picture


def test_a_chosen_square_is_what_the_model_sees(classifier):
    left, right = (classifier.predict(two_lesions(), square=Square(start, 0, 200)) for start in (0, 200))
    assert (left.diagnosis, right.diagnosis) == ("nv", "vasc")
    assert right.as_dict()["square"] == [200, 0, 200]
    assert right.as_dict()["quality"]["source_side_pixels"] == 200


def test_the_centre_chosen_by_hand_gives_the_answer_of_the_centre(classifier):
    picture = lesion("mel", (301, 200))
    chosen = classifier.predict(picture, square=centre_of(*picture.size)).as_dict()
    assert chosen | {"square": None} == classifier.predict(picture).as_dict()


@pytest.mark.parametrize(
    "square", [Square(-1, 0, 50), Square(0, 0, 201), Square(390, 0, 50), Square(0, 0, 0), Square(0, 0, float("nan"))]
)
def test_a_square_that_is_not_within_the_picture_is_refused(classifier, square):
    with pytest.raises(ImageError, match="within the 400 x 200 picture"):
        classifier.predict(two_lesions(), square=square)


def test_a_small_square_of_a_large_jpeg_is_decoded_large_enough(classifier):
    large = Image.new("RGB", (3200, 1600), (225, 180, 160))
    large.paste(lesion("mel", (200, 200)), (1600, 800))
    buffer = io.BytesIO()
    large.save(buffer, "JPEG", quality=95)
    square = Square(1600, 800, 200)
    from_jpeg = classifier.predict(buffer.getvalue(), square=square)
    assert from_jpeg.diagnosis == "mel"
    with Image.open(buffer) as full:
        from_pixels = classifier.predict(full, square=square)
    assert from_jpeg.malignant_probability == pytest.approx(from_pixels.malignant_probability, abs=1e-3)


def test_quality_and_measures_speak_of_the_photograph_not_of_what_was_cleaned(tmp_path):
    pytest.importorskip("cv2")
    picture = lesion("mel")
    answers = []
    for name, steps in (("plain", []), ("cleaned", [Background(fill="black")])):
        write_equipped_bundle(tmp_path / name, preprocess=PreprocessSpec(side_pixels=SIDE, clean=steps))
        answers.append(load(tmp_path / name).predict(picture, outline=True, anyway=True))
    plain, cleaned = answers
    assert plain.quality == cleaned.quality
    assert plain.outline == cleaned.outline
    assert plain.abcd == cleaned.abcd
    assert not np.array_equal(plain.embedding, cleaned.embedding)  # the model does see the cleaned square


def test_the_smallest_side_is_judged_of_the_chosen_square_not_of_the_picture(tmp_path):
    write_tiny_bundle(tmp_path / "bundle")
    found = load(tmp_path / "bundle").predict(lesion("nv", (400, 300)), square=Square(50, 50, 120))
    assert found.quality.source_side_pixels == 120


@pytest.mark.parametrize("code", ["nv", "mel", "df"])
def test_the_heat_map_is_that_of_the_class_that_it_is_named_after(tmp_path, code):
    write_tiny_bundle(tmp_path / "bundle")
    classifier = load(tmp_path / "bundle")
    found = classifier.predict(lesion(code), heatmap=True).explanation
    of_class = dict(zip(CLASSES, classifier.run(found.square[None]).heatmaps[0], strict=True))
    heat = {other: explain(of_class[other], found.square, code=other).heat for other in CLASSES}
    assert [other for other in CLASSES if np.array_equal(heat[other], found.heat)] == [code]
