"""What the page compares: methods on one data set, each with the background threshold that it is read at."""

from dataclasses import dataclass

from app.catalogue import Family
from recam_core.analysis.analysed import Analysed
from recam_core.data.sample import ClassList
from recam_core.scores.metrics import value_names


@dataclass(frozen=True)
class Compared:
    """What every section is drawn from.

    Attributes:
        family: the runs' family.
        spec: of the data set.
        methods: in the order of the page, at least one; all of the same pictures and classes.
        thresholds: by method key; None where every pixel goes to its arg-max class.
        one_threshold: the threshold that was set for all methods; None where each has its own, or there is none.
        chosen: packed bits, one a picture that the filters let pass; None for all pictures.
        filter_words: what the filters ask for, in words; "" without filters.
        with_single: whether pictures that tell nothing (a single class, no background) stand in lists and means of
            pictures; figures of all pixels hold them either way.
    """

    family: Family
    spec: str
    methods: tuple[Analysed, ...]
    thresholds: dict[str, float | None]
    one_threshold: float | None = None
    chosen: bytes | None = None
    filter_words: str = ""
    with_single: bool = False

    @property
    def classes(self) -> ClassList:
        """The classes that truth and prediction number."""
        return self.methods[0].counts.classes

    @property
    def names(self) -> tuple[str, ...]:
        """K + 1 names: 0 the background (or what is unlabelled), k + 1 class k."""
        return value_names(self.classes)

    @property
    def titles(self) -> dict[str, str]:
        """By method key, for people; two methods of one title are told apart by their key."""
        titles = [method.title for method in self.methods]
        return {
            method.key: method.title if titles.count(method.title) == 1 else f"{method.title} ({method.key})"
            for method in self.methods
        }

    def method(self, key: str) -> Analysed:
        """The method of a key; KeyError if it is not compared."""
        return {method.key: method for method in self.methods}[key]
