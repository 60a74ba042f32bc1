"""The pipeline by step, on a small part of the scenes: what each step takes, and what making maps once saves.

    PYTHONPATH=. python benchmarks/pipeline_steps.py [--pictures 32]

The trainings are cut to a few steps, so that shares are those of the other steps; each has a process of its own, whose
start counts.
"""

import argparse
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from recam_core.data.folder import export_folder
from recam_core.data.spec import open_dataset
from recam_core.data.subset import spread
from recam_core.pipeline.plan import PRESETS, Bounded, PipelinePlan, Step, steps_of
from recam_core.pipeline.work import PROGRAM, run_steps

#: Of all trainings.
STEPS = Bounded(0, 4, 4)


def main() -> None:
    """Print seconds and shares of the steps, and the ratios of two masks commands and of two ways to make maps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=32, help="of the scenes (default: 32)")
    pictures = parser.parse_args().pictures
    with tempfile.TemporaryDirectory() as folder:
        spec, out = f"folder:{folder}/scenes@train", Path(folder) / "out"
        export_folder(spread(open_dataset("scenes:stuff=1@train"), pictures), Path(folder) / "scenes")
        short = replace(PRESETS["small"], train_steps=STEPS, recam_steps=STEPS, segment_steps=STEPS)
        plan = PipelinePlan(spec, out, "small", None, spec, device="cpu")
        with patch.dict(PRESETS, small=short):
            steps = steps_of(plan, open_dataset(spec))
        begin = time.perf_counter()
        done = run_steps(steps, out, lambda words: None, cores=1)
        whole = time.perf_counter() - begin
        for name, each in done.items():
            print(f"{name}: {each.seconds:.1f} s, {each.seconds / whole:.0%}")
        by_name = {step.name: step for step in steps}
        for name in ("boundaries-bce", "masks-bce"):
            kept, made = by_name[name].command, _without_maps(by_name[name], Path(folder))
            print(f"{name}, maps read against made again: {_seconds(made) / _seconds(_elsewhere(kept, folder)):.2f}x")
        cams = by_name["maps-train-bce-recam"].command
        one, two = _seconds(_elsewhere(cams, folder)), _seconds([*_elsewhere(cams, folder), "--processes", "2"])
        print(f"maps by two processes against one: {one / two:.2f}x")


def _without_maps(step: Step, folder: Path) -> list[str]:
    words = _elsewhere(step.command, folder)
    place = words.index("--maps")
    return words[:place] + words[place + 2 :]


def _elsewhere(words: tuple[str, ...], folder: str | Path) -> list[str]:
    """The command with a place of its own for what it makes."""
    place = words.index("--out")
    return [*words[: place + 1], tempfile.mkdtemp(dir=folder), *words[place + 2 :]]


def _seconds(words: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run([*PROGRAM, *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
