"""Maps that were made before and lie in stores, taken for new ones where they are the same."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from recam_core.checkpoint.run_folder import RunInfo
from recam_core.data.sample import Dataset
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps
from recam_core.maps.dataset_maps import MapSettings, store_info
from recam_core.maps.store import MapStore, is_store

#: What must be the same in the record of a store for its maps to be those that would be made, and how it is called.
_SAME = {
    "weights_sha256": "weights",
    "rule": "rule",
    "classes": "classes",
    "scales": "scales",
    "mirror": "mirror images",
    "labels": "labels",
}


class KeptMaps(Mapping[str, ActivationMaps]):
    """Maps by picture id, read from their stores when they are asked for."""

    def __init__(self, stores: Mapping[str, MapStore]) -> None:
        self._stores = stores

    def __getitem__(self, id: str) -> ActivationMaps:
        return self._stores[id][id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._stores)

    def __len__(self) -> int:
        return len(self._stores)


def kept_maps(stores: Sequence[Path], info: RunInfo, rule: str, dataset: Dataset, settings: MapSettings) -> KeptMaps:
    """What stores hold of the maps of a run on a data set.

    Args:
        stores: folders that `cams` made: stores, or folders of stores of which the one of this run and rule counts; of
            this data set or of others with some of the same files.
        info: the record of the run.
        rule: extraction rule, or the name of other maps that stores hold.
        dataset: the pictures.
        settings: how maps by it would be made.

    Raises:
        UserError: no store, a damaged one, or maps made by other weights, by another rule or in another way.
    """
    wanted = store_info(info, rule, dataset, settings)
    found: dict[str, MapStore] = {}
    for path in stores:
        store = _fitting(path, info, rule)
        differing = [word for name, word in _SAME.items() if getattr(store.info, name) != getattr(wanted, name)]
        if differing:
            raise UserError(
                f"The maps in {path} are not those that are asked for (other {', '.join(differing)}): make them with "
                "`cams` from the same run and with the same options, or leave --maps out."
            )
        found |= dict.fromkeys(_shared(store, dataset), store)
    return KeptMaps(found)


def _fitting(path: Path, info: RunInfo, rule: str) -> MapStore:
    if is_store(path) or not path.is_dir():
        return MapStore(path)
    inside = [MapStore(folder) for folder in sorted(path.iterdir()) if is_store(folder)]
    for store in inside:
        if (store.info.weights_sha256, store.info.rule) == (info.weights_sha256, rule):
            return store
    raise UserError(f"{path} has no maps of the run {info.name} by the rule {rule}: make them with `cams`.")


def _shared(store: MapStore, dataset: Dataset) -> list[str]:
    """The ids of the pictures that are in both: an id of another data set counts only where it means the same file."""
    common = [id for id in dataset.ids if id in store]
    if store.info.data == dataset.spec or not common:
        return common
    try:
        theirs = files_of(open_dataset(store.info.data))
    except UserError:  # it is gone, or elsewhere by now
        return []
    ours = files_of(dataset)
    return [id for id in common if id in ours and ours[id] == theirs.get(id)]


def files_of(dataset: Dataset) -> dict[str, Path]:
    """The file of each picture by its id; none of a data set whose pictures are no files."""
    path_of = getattr(dataset, "photo_path", None)
    return {} if path_of is None else {id: Path(path_of(index)).resolve() for index, id in enumerate(dataset.ids)}
