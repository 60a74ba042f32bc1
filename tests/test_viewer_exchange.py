"""The hand has the last word on a view until the page asks for another one."""

from app.viewer import exchanged

HAND = {"overlay": "heat", "classes": [1], "opacity": 0.8}


def test_what_the_page_gives_counts_when_the_viewer_appears() -> None:
    first = exchanged(None, {"overlay": "seeds", "bad": 1}, None)
    assert (first.sent, first.revision, first.current) == ({"overlay": "seeds"}, 1, {"overlay": "seeds"})
    again = exchanged(first, {"overlay": "seeds"}, None)
    assert (again.sent, again.revision) == (first.sent, 1)  # the message stays the same to the byte


def test_a_page_that_always_gives_the_same_leaves_the_hand_alone() -> None:
    state = exchanged(None, {"overlay": "seeds"}, None)
    for overlay in ("heat", "errors", "seeds", "heat"):
        state = exchanged(state, {"overlay": "seeds"}, HAND | {"overlay": overlay, "revision": 1})
        assert state.revision == 1
        assert state.current == HAND | {"overlay": overlay}


def test_a_page_that_gives_back_what_it_was_returned_is_always_one_behind_and_still_no_wish() -> None:
    given, state = {}, None
    for reported in (None, *({**HAND, "opacity": share / 10, "revision": 1} for share in range(10))):
        state = exchanged(state, given, reported)
        given = state.current
        assert state.revision == 1
    assert given["opacity"] == 0.9


def test_a_wish_of_the_page_is_sent_and_then_the_hand_goes_on() -> None:
    state = exchanged(exchanged(None, {}, None), {}, HAND | {"revision": 1})
    wish = exchanged(state, {"overlay": "contour"}, HAND | {"revision": 1})
    assert (wish.sent, wish.revision) == ({"overlay": "contour"}, 2)
    assert wish.current == HAND | {"overlay": "contour"}  # before the browser has said so
    late = exchanged(wish, wish.current, HAND | {"revision": 1})
    assert (late.revision, late.current) == (2, HAND | {"overlay": "contour"})
    moved = exchanged(late, late.current, HAND | {"overlay": "errors", "revision": 2})
    assert (moved.revision, moved.current["overlay"]) == (2, "errors")
    repeated = exchanged(moved, {"overlay": "contour"}, HAND | {"overlay": "errors", "revision": 2})
    assert repeated.revision == 3  # the same wish again, after the hand has left it


def test_a_viewer_that_comes_back_gets_what_it_had() -> None:
    state = exchanged(exchanged(None, {}, None), {}, HAND | {"revision": 1})
    state = exchanged(state, state.current, HAND | {"revision": 1})
    back = exchanged(state, state.current, None)
    assert (back.sent, back.revision) == (HAND, 2)


def test_a_page_that_insists_gets_a_view_that_it_was_returned_before() -> None:
    state = exchanged(exchanged(None, {}, None), {}, HAND | {"revision": 1})
    hand = HAND | {"overlay": "seeds", "revision": 1}
    state = exchanged(state, state.current, hand)
    assert exchanged(state, HAND, hand).revision == 1
    wish = exchanged(state, HAND, hand, insists=True)
    assert (wish.sent, wish.revision, wish.current) == (HAND, 2, HAND)
    assert exchanged(wish, HAND, HAND | {"revision": 2}, insists=True).revision == 2  # it is so already
