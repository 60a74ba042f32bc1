"""Class lists as tools and people write them."""

import pytest

from recam_core.data.class_file import role_of_name


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("background", "background Background _background_ __background__ bg BG <bg> back-ground 0:background 背景"),
        ("void", "void VOID _void_ __ignore__ ignore unlabeled Unlabelled 255:void -1,__ignore__"),
        ("class", "cat background2 bgs foreground ground 0 0: 12 voidable ignorer _ __ backgroundcat"),
    ],
)
def test_names_that_are_no_classes(role, names):
    assert {name: role_of_name(name) for name in names.split()} == dict.fromkeys(names.split(), role)
    assert role_of_name("") == role_of_name("  ") == "class"
    assert role_of_name("0: background") == role_of_name(" 0 background ") == "background"
