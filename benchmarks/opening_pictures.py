"""Opening another picture in the viewer: its maps stored, against its maps computed first.

What the server does between the press on a thumbnail and the message to the browser, without the page around it.

    python benchmarks/opening_pictures.py
"""

import statistics
import time

import numpy as np

from recam_core.analysis.analysed import analyse, settings_of
from recam_core.checkpoint.run_folder import INFO_FILE, Run, load_run
from recam_core.data.sample import Dataset
from recam_core.data.spec import open_dataset
from recam_core.folders import shipped_folder
from recam_core.maps.activation_maps import ActivationMaps
from recam_core.maps.inference import activation_maps
from recam_core.maps.store import MapStore
from recam_core.method.extraction import map_weights
from recam_core.views.viewer_payload import pane_of_maps, viewer_payload


def milliseconds(dataset: Dataset, indices: range, runs: list[Run], stores: list[MapStore] | None) -> list[float]:
    """Of each picture: read it, get its maps (from the stores, or from the networks), pack all for the browser."""
    taken = []
    for index in indices:
        began = time.perf_counter()
        sample = dataset.load(index)
        if stores is not None:
            maps = [store[sample.id] for store in stores]
        else:
            maps = [_computed(run, sample.image, np.flatnonzero(sample.labels)) for run in runs]
        panes = [pane_of_maps(one, key=run.info.name, title=run.info.name) for one, run in zip(maps, runs, strict=True)]
        viewer_payload(sample.id, sample.image, dataset.classes, panes, sample.mask)
        taken.append((time.perf_counter() - began) * 1e3)
    return taken


def _computed(run: Run, image: np.ndarray, classes: np.ndarray) -> ActivationMaps:
    network = run.network
    return activation_maps(network, image, map_weights(run.info.rule, network.fc1, network.fc2), classes)


def main() -> None:
    """Print both medians and their ratio."""
    dataset = open_dataset("scenes@val")
    runs = [load_run(file.parent) for file in sorted((shipped_folder() / "scenes").glob(f"*/{INFO_FILE}"))]
    stores = [analyse(run, run.info.rule, dataset, settings_of(run.info)).store for run in runs]
    milliseconds(dataset, range(2), runs, None)
    stored = milliseconds(dataset, range(2, 52), runs, stores)
    computed = milliseconds(dataset, range(2, 10), runs, None)
    fast, slow = statistics.median(stored), statistics.median(computed)
    print(f"maps stored: median {fast:.0f} ms, longest {max(stored):.0f} ms (aim: under 300)")
    print(f"maps computed: median {slow:.0f} ms; ratio {slow / fast:.0f}")


if __name__ == "__main__":
    main()
