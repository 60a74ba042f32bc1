"""Pictures of a record that are not where it says."""

from pathlib import Path

import pytest

from data_layouts import voc
from recam_core.data.recorded import PicturesMissing, recorded_data
from recam_core.data.sample import ClassList
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECAM_DATA", str(tmp_path / "served"))
    return tmp_path / "served"


def make(folder: Path, classes: str = "background\ncow\nsheep\nsky\ncat\na\nb\nc\nd\n") -> ClassList:
    folder.parent.mkdir(parents=True, exist_ok=True)
    (voc(folder.parent / "made")).rename(folder)
    (folder / "classes.txt").write_text(classes)
    return open_dataset(f"voc:{folder}@train").classes


def test_what_is_where_the_record_says_stays(root: Path, tmp_path: Path) -> None:
    classes = make(tmp_path / "there" / "pets")
    make(root / "pets")
    spec = f"voc:{tmp_path}/there/pets@train.fit"
    assert recorded_data(spec, classes) == spec
    assert recorded_data("scenes@val", classes) == "scenes@val"


@pytest.mark.parametrize("place", ["pets", "more/pets"])
def test_it_is_looked_for_by_its_name(root: Path, place: str) -> None:
    classes = make(root / place)
    for recorded in ("voc:../elsewhere/pets@train.fit", "voc:C:\\data\\pets@train.fit", "voc:pets/@train.fit"):
        assert recorded_data(recorded, classes) == f"voc:{root / place}@train.fit"


def test_a_devkit_is_found_by_the_folder_around_it(root: Path) -> None:
    voc(root)
    found = recorded_data("voc:/gone/VOCdevkit@train", open_dataset(f"voc:{root}@train").classes)
    assert found == f"voc:{root}/VOCdevkit@train"


def test_the_second_of_a_name_may_be_the_right_one(root: Path) -> None:
    make(root / "a" / "pets", "x\ny\n" + "".join(f"{k}\n" for k in range(8)))
    classes = make(root / "b" / "pets")
    assert recorded_data("voc:gone/pets@train", classes) == f"voc:{root}/b/pets@train"


def test_what_does_not_fit_is_refused(root: Path) -> None:
    classes = make(root / "pets")
    with pytest.raises(UserError, match="other classes than the record"):
        recorded_data("voc:gone/pets@train", ClassList(classes.names[::-1], True))
    with pytest.raises(UserError, match="other classes than the record"):
        recorded_data("voc:gone/pets@train", ClassList(classes.names, False))
    with pytest.raises(UserError, match=r"looked for in .*nosuch"):
        recorded_data("voc:gone/pets@nosuch", classes)


def test_what_is_nowhere_says_how_to_get_it(root: Path) -> None:
    classes = ClassList(("cow",), False)
    with pytest.raises(PicturesMissing, match="data download msrc_v2' brings them") as missing:
        recorded_data("voc:../shared-not/msrc_v2@train", classes)
    assert missing.value.download == "msrc_v2"
    with pytest.raises(PicturesMissing, match="Put their folder 'my-pets' below") as missing:
        recorded_data("voc:../gone/my-pets@train", classes)
    assert missing.value.folder == "my-pets"
