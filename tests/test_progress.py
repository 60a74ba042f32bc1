"""One bar for work and for what is done in between."""

from recam_core.progress import SCORES, Note, kind_of, with_pauses


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
