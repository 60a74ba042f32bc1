"""One bar for work and for what is done in between."""

import pytest

from recam_core.errors import UserError
from recam_core.progress import SCORES, Note, kind_of, terminal, with_pauses


def test_pauses_keep_the_bar_where_the_work_is():
    told = []
    work, pause = with_pauses(lambda *at: told.append(at))
    pause(1, 2, "scoring")
    work(3, 9, "loss 0.5")
    pause(1, 2, "scoring")
    work(4, 9, "loss 0.4")
    assert told == [(0, 1, "scoring 1/2"), (3, 9, "loss 0.5"), (3, 9, "scoring 1/2"), (4, 9, "loss 0.4")]


def test_a_note_is_its_words_and_knows_its_kind():
    note = Note("scoring all pixels", SCORES)
    assert note == "scoring all pixels"
    assert (kind_of(note), kind_of("loss 0.4")) == (SCORES, "")


@pytest.mark.parametrize(("done", "stands"), [(0, False), (2, True)])
def test_work_that_fails_before_anything_is_done_leaves_no_bar(capsys, done, stands):
    def work():
        with terminal("features") as progress:
            progress(done, 5, "")
            raise UserError("There is no such thing.")

    with pytest.raises(UserError):
        work()
    left = capsys.readouterr().err.rstrip("\n").rpartition("\r")[2]
    assert ("features" in left) == stands
