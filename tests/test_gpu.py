"""What is done for a GPU, on devices that pretend; and, with the marker ``cuda``, on one that is there."""

import argparse
import copy
import dataclasses
import importlib.util
import multiprocessing
import os
import sys
import threading
import time
import weakref
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import torch

from pretend_cuda import Copies, OnCuda, cards
from recam_core import device as devices
from recam_core import gate as gates
from recam_core.attribution.classifier import foreign_classifier
from recam_core.attribution.compare import ComparePlan, compare_methods
from recam_core.attribution.map_scores import FaithfulnessSettings
from recam_core.attribution.maps import pass_seconds
from recam_core.checkpoint.run_folder import load_run
from recam_core.cli.main import main
from recam_core.data.sample import ClassList
from recam_core.device import device_name, device_names, free_bytes, half_type, make_current, pick_device, repeatable
from recam_core.errors import UserError
from recam_core.experiments import dispatch, figure1_full, full_cost, head_scores
from recam_core.gate import Gate, device_gate
from recam_core.maps import dataset_maps
from recam_core.maps.dataset_maps import MapSettings, each_picture, maps_of_dataset
from recam_core.memory import OutOfMemory, give_back_memory, is_out_of_memory, memory_told
from recam_core.method.extraction import map_weights
from recam_core.method.masks import parse_mask
from recam_core.method.single_label import pooled_single_label
from recam_core.method.step import batch_pairs, bce_batch, recam_batch, sce_batch
from recam_core.model.backbones import build_backbone
from recam_core.model.network import CamNetwork
from recam_core.progress import Cancelled, on_bar, silent, unwatched
from recam_core.retrain.features import FeatureBlock, FeatureCache
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.retrain.heads import retrain_heads
from recam_core.retrain.pooled import pooled_pairs
from recam_core.theory.negatives import NegativeCounts, measure_negatives
from recam_core.theory.walkthrough import logit_map, walkthrough
from recam_core.train import loop
from recam_core.train.loop import LossReader, train
from tiny_data import TinyDataset
from tiny_recipe import TRAIN, VAL, tiny_recipe

CUDA_0 = torch.device("cuda:0")


# Devices --------------------------------------------------------------------------------------------------------------


def test_one_parser_knows_every_card(monkeypatch):
    with cards(monkeypatch):
        assert device_names()[:2] == ["cuda:0", "cuda:1"]
        assert device_name("auto") == device_name("cuda") == "cuda:0"
        assert pick_device("cuda:1") == torch.device("cuda:1")
        assert pick_device("cuda").index == 0
        for wrong, words in (("cuda:2", "offers no device 'cuda:2'"), ("cuda:x", "knows no device"), ("gpu", "knows")):
            with pytest.raises(UserError, match=words):
                pick_device(wrong)


@pytest.mark.parametrize(
    ("count", "mps", "expected"),
    [
        (2, True, ["cuda:0", "cuda:1", "mps", "cpu"]),
        (1, False, ["cuda:0", "cpu"]),
        (0, True, ["mps", "cpu"]),
        (0, False, ["cpu"]),
    ],
)
def test_auto_is_the_fastest_device_that_is_there(monkeypatch, count, mps, expected):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    with cards(monkeypatch, count):
        assert device_names() == expected
        assert device_name() == device_name("auto") == str(pick_device()) == expected[0]
        for name in expected:
            assert device_name(name) == str(pick_device(name)) == name
        for missing in {"cuda:0", "cuda:1", "mps"} - set(expected):
            with pytest.raises(UserError, match=rf"offers no device '{missing}': choose one of auto, .*cpu\."):
                device_name(missing)


def test_commands_take_one_card_of_several(tmp_path, monkeypatch):
    """What `trainings start` took, `train` refused."""

    class Stop(Exception):
        pass

    def stop(*words, device, **more) -> None:
        raise Stop(str(device))

    monkeypatch.setattr(loop, "train", stop)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Pretender")
    command = [
        "train",
        "bce",
        "--preset",
        "small",
        "--data",
        TRAIN,
        "--device",
        "cuda:1",
        "--out",
        str(tmp_path / "run"),
    ]
    with cards(monkeypatch), pytest.raises(Stop, match="cuda:1"):
        main(command)


def test_a_training_makes_its_card_the_current_one(monkeypatch):
    with cards(monkeypatch) as asked:
        make_current(torch.device("cuda:1"))
        make_current(torch.device("cpu"))
        assert asked == [("set_device", torch.device("cuda:1"))]


def test_a_grids_training_makes_its_card_the_current_one(monkeypatch):
    from recam_core.experiments import full_training
    from recam_core.experiments.protocol import Protocol

    class Stop(Exception):
        pass

    def stop(file: Path) -> None:
        raise Stop

    monkeypatch.setattr(full_training, "ProgressFile", stop)
    task = full_training.FullTask(None, "", Protocol("", "", ""), (), "", "", "cuda:1")
    with cards(monkeypatch) as asked, pytest.raises(Stop):
        full_training.carry_out(task)
    assert asked == [("set_device", torch.device("cuda:1"))]


def test_losses_are_awaited_on_the_card_that_computes_them(monkeypatch):
    recorded = []

    class Event:
        def record(self, stream: object = "the current device's") -> None:
            recorded.append(stream)

        def synchronize(self) -> None:
            pass

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device=None: f"stream of {device}")
    empty = torch.empty
    monkeypatch.setattr(loop.torch, "empty", lambda *words, pin_memory=False, **more: empty(*words, **more))
    reader = LossReader()
    loss = torch.tensor(0.5).as_subclass(OnCuda)
    assert list(reader.put(0, {"loss": loss})) == []
    assert list(reader.put(1, {"loss": loss})) == [(0, {"loss": 0.5})]
    assert recorded == ["stream of cuda:1"] * 2


# Precision ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("capability", "expected"), [((7, 5), torch.float16), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)]
)
def test_emulated_bfloat16_is_none(monkeypatch, capability, expected):
    with cards(monkeypatch, capability=capability):
        assert torch.cuda.is_bf16_supported()  # as torch says of a T4
        assert half_type(torch.device("cuda:1")) == expected
    assert half_type(torch.device("cpu")) is None


def test_a_training_goes_on_where_the_precision_is_another(tmp_path, monkeypatch):
    current = []
    monkeypatch.setattr(loop, "make_current", current.append)

    def broken_off(done: int, total: int, note: str) -> None:
        if done > 2:
            raise Cancelled

    recipe = tiny_recipe(epochs=2, batch_size=4)
    with pytest.raises(Cancelled):
        train(recipe, TinyDataset(), tmp_path / "run", watch=on_bar(broken_off))
    state = torch.load(tmp_path / "run" / "state" / "last.pt", weights_only=True)
    assert state["precision"] == "float32"
    scale = {"scale": 128.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 9, "_growth_tracker": 3}
    torch.save(state | {"precision": "float16", "scaler": scale}, tmp_path / "run" / "state" / "last.pt")
    with pytest.warns(UserWarning, match="run was begun in float16 on another device and goes on in float32"):
        train(recipe, TinyDataset(), tmp_path / "run")
    assert (tmp_path / "run" / "model.safetensors").exists()
    assert current == [torch.device("cpu")] * 2


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_a_training_calculates_in_the_devices_own_half_and_scales_its_loss_in_float16_alone(
    tmp_path, monkeypatch, precision
):
    kinds: list[torch.dtype] = []
    features = CamNetwork.features

    def seen(self: CamNetwork, x: torch.Tensor) -> torch.Tensor:
        found = features(self, x)
        kinds.append(found.dtype)
        return found

    kept: list[dict] = []
    monkeypatch.setattr(loop, "half_type", lambda device: precision)
    monkeypatch.setattr(CamNetwork, "features", seen)
    monkeypatch.setattr(loop, "save_state", lambda out, state: kept.append(state))
    train(tiny_recipe(epochs=1, batch_size=4), TinyDataset(4), tmp_path / "run", workers=0)
    assert kinds[0] == precision
    assert kept[0]["precision"] == str(precision).removeprefix("torch.")
    assert bool(kept[0]["scaler"]) == (precision == torch.float16)


@pytest.mark.parametrize("kept", [{}, {"scale": 128.0, "growth_factor": 2.0}])
def test_a_scale_is_taken_up_or_begun_anew(tmp_path, kept):
    """A state of bfloat16 has no scale, and torch refuses to load none."""
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    if kept:
        kept = scaler.state_dict() | kept
        loop._go_on_in(torch.float16, scaler, {"scaler": kept}, tmp_path)  # of an older version, which said nothing
    else:
        with pytest.warns(UserWarning, match="begun in bfloat16"):
            loop._go_on_in(torch.float16, scaler, {"scaler": {}, "precision": "bfloat16"}, tmp_path)
    assert scaler.get_scale() == (128.0 if kept else 1024.0)


# Repeating ------------------------------------------------------------------------------------------------------------


def test_a_gpu_is_asked_for_kernels_that_repeat_themselves_and_a_cpu_is_left_alone(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    before = torch.backends.cudnn.deterministic
    with repeatable(torch.device("cpu")):
        assert not torch.are_deterministic_algorithms_enabled()
    with repeatable(CUDA_0):
        assert torch.backends.cudnn.deterministic
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.deterministic == before
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")


# Memory ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_a_lack_of_memory_is_one_whoever_says_it(error, monkeypatch, capsys):
    def fail(arguments: object) -> int:
        raise error

    assert is_out_of_memory(error)
    parser = type("Parser", (), {"parse_args": lambda self, words: type("Parsed", (), {"run": staticmethod(fail)})})
    monkeypatch.setattr("recam_core.cli.main.build_parser", parser)
    assert main(["evaluate"]) == 2
    said = capsys.readouterr().err
    assert "not enough memory" in said
    assert "--device" in said
    assert "Traceback" not in said


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    for error in (RuntimeError("shape '[2]' is invalid"), RuntimeError("CUDNN_STATUS_BAD_PARAM"), ValueError("memory")):
        assert not is_out_of_memory(error)
    with pytest.raises(RuntimeError, match="shape"), memory_told("Take less."):
        raise RuntimeError("shape '[2]' is invalid")


def test_what_filled_the_memory_is_let_go_before_the_sentence_is_said(monkeypatch):
    held = []

    def work() -> None:
        tensor = torch.zeros(8)
        held.append(weakref.ref(tensor))
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with cards(monkeypatch) as asked:
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda: asked.append(held[0]()))
        with pytest.raises(OutOfMemory, match=r"^Take less\.$"), memory_told("Take less."):
            work()
    assert asked == [None], "the tensor was alive when the cache was emptied, or it was not emptied"


def test_jobs_of_the_app_give_memory_back_and_say_what_was_wrong(monkeypatch):
    from app import jobs

    def fail(job: jobs.Job) -> None:
        raise RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")

    with cards(monkeypatch) as asked:
        for work, state in ((lambda job: None, jobs.DONE), (fail, jobs.FAILED)):
            asked.clear()
            job = jobs.Job()
            jobs.JobBoard()._work(job, work, at_once=True)
            assert job.state == state
            assert ("empty_cache",) in asked
    assert job.message == jobs.NO_MEMORY


def test_a_grid_in_one_process_gives_memory_back_after_each_training(monkeypatch):
    with cards(monkeypatch) as asked:
        assert dispatch.dispatch(lambda task: asked.append(task), [1, 2], "one", 1, silent) == [None, None]
    assert asked == [1, ("empty_cache",), 2, ("empty_cache",)]


def test_a_training_of_the_queue_says_that_memory_ran_out(monkeypatch):
    from recam_core.queue import work

    def fail(*words: object) -> None:
        raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")

    monkeypatch.setattr(work, "open_dataset", fail)
    job = argparse.Namespace(data="scenes@train", device="cpu", recipe=tiny_recipe().to_json())
    with pytest.raises(OutOfMemory, match="take smaller batches"):
        work.train_job(job, unwatched)


def test_nothing_is_given_back_where_no_gpu_was_used(monkeypatch):
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: pytest.fail("a CPU has no cache"))
    give_back_memory()


def test_memory_is_counted_and_not_halved(monkeypatch):
    with cards(monkeypatch):
        # 10 GB are free, 4 of the 6 that this process holds are idle; a part stays for cuDNN and cuBLAS.
        assert free_bytes(CUDA_0) == (14 << 30) - devices._RESERVE
        features = torch.zeros(1, dtype=torch.float16).expand(3 << 29, 1, 1, 1)  # 3 GiB that take none
        cache = FeatureCache((FeatureBlock(torch.arange(1), features, torch.ones(1, 2).bool(), None),), "made", "")
        moved = []
        monkeypatch.setattr(FeatureBlock, "to", lambda self, device: moved.append(device) or self)
        cache.on(CUDA_0, spare=11 << 30)
        assert moved == []
        cache.on(CUDA_0, spare=10 << 30)
        assert moved == [CUDA_0]


# Steps that do not wait -----------------------------------------------------------------------------------------------

LABELS = torch.tensor([[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 1, 1]], dtype=torch.float32)


@pytest.mark.parametrize("fc2_loss", ["sce", "bce"])
@pytest.mark.parametrize("background", [0.0, 0.2])
@pytest.mark.parametrize("mask", ["soft", "none", "hard:0.3", "power:2", "oracle"])
def test_a_recam_step_asks_the_device_for_nothing(mask, background, fc2_loss):
    """The meta device has no numbers to give: an operation that waits for one fails there."""
    features = torch.empty(3, 8, 5, 6, device="meta", requires_grad=True)
    fc1 = torch.empty(4, 8, device="meta", requires_grad=True)
    fc2 = torch.empty(5 if background else 4, 8, device="meta", requires_grad=True)
    logits = features.mean(dim=(2, 3)) @ fc1.T
    truth = torch.empty(3, 80, 96, dtype=torch.uint8, device="meta") if mask == "oracle" else None
    pairs = batch_pairs(LABELS, background > 0).to("meta")
    labels = LABELS.to("meta")
    loss = recam_batch(
        features, logits, labels, fc1, fc2, parse_mask(mask), 1.0, truth, fc2_loss, background, 1.0, pairs
    )
    NegativeCounts(2, "meta").add_pairs(0, loss.single[0], loss.single[1], labels[loss.single[2]])
    loss.total.backward()
    assert fc2.grad.shape == fc2.shape


@pytest.mark.parametrize("batch", [bce_batch, sce_batch])
def test_other_steps_ask_the_device_for_nothing_either(batch):
    logits = torch.empty(3, 4, device="meta", requires_grad=True)
    batch(logits, LABELS.to("meta")).total.backward()


@pytest.mark.parametrize("background", [0.0, 0.3])
def test_pairs_that_came_with_the_batch_change_no_bit(background):
    """Against the pairs as they are counted where none are given, and as their definition has them."""
    generator = torch.Generator().manual_seed(3)
    features = torch.rand(3, 8, 5, 6, generator=generator)
    fc1, fc2 = (torch.randn(rows, 8, generator=generator) for rows in (4, 5 if background else 4))
    logits = features.mean(dim=(2, 3)) @ fc1.T
    pairs = batch_pairs(LABELS, background > 0)
    assert torch.stack([pairs.image, pairs.category], dim=1).tolist() == LABELS.nonzero().tolist()
    assert pairs.most == 3
    if background:
        assert pairs.shown_category.tolist() == [0, 2, 4, 1, 2, 3, 4]
        assert pairs.shown_image.tolist() == [0, 0, 0, 2, 2, 2, 2]
        assert pairs.backgrounds.tolist() == [2, 6]
        assert pairs.shown_most == 4
    given, counted = (
        recam_batch(features, logits, LABELS, fc1, fc2, parse_mask("soft"), 1.0, background=background, pairs=one).total
        for one in (pairs, None)
    )
    assert torch.equal(given, counted)


def test_a_batch_without_any_class_has_no_pairs():
    pairs = batch_pairs(torch.zeros(2, 4), with_row=True)
    assert len(pairs.image) == len(pairs.shown_image) == pairs.most == pairs.shown_most == 0


def test_channels_last_features_are_not_copied():
    image = torch.tensor([0, 0, 2], device="meta")
    for layout in (torch.channels_last, torch.contiguous_format):
        features = torch.empty(3, 64, 32, 32, device="meta").to(memory_format=layout)
        with Copies() as copies:
            pooled = pooled_single_label(features, torch.empty(3, 32, 32, device="meta"), image, most=2)
        assert pooled.shape == (3, 64)
        assert max(copies.sizes, default=0) < features.numel()


def test_the_layout_makes_no_difference_to_pooled_features(monkeypatch):
    from recam_core.method import single_label

    generator = torch.Generator().manual_seed(1)
    features = torch.rand(3, 16, 5, 6, generator=generator)
    last = features.contiguous(memory_format=torch.channels_last)
    assert torch.equal(single_label._by_pixel(last), single_label._by_pixel(features))
    meta = single_label._by_pixel(last.to("meta"))
    assert meta.shape == (3, 30, 16)
    assert torch.equal(last.permute(0, 2, 3, 1).flatten(1, 2), single_label._by_pixel(features))


def test_weights_of_a_training_are_those_of_its_equations_to_the_bit(tmp_path, monkeypatch):
    """A ReCAM training against the same one whose pairs are counted, and losses averaged, as they were before."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        recipe = tiny_recipe(epochs=1, batch_size=4)
        train(recipe, TinyDataset(), tmp_path / "bce")
        start = load_run(tmp_path / "bce")
        recam = dataclasses.replace(recipe, method="recam", lr_fc2=1e-2, rule="product")
        train(recam, TinyDataset(), tmp_path / "now", init=start)
        plain = recam_batch

        def as_before(*words, **more):
            *words, pairs = words
            assert pairs is not None
            return plain(*words)

        def bincounted(image, images):
            pairs = torch.bincount(image, minlength=images)
            return pairs[image] * (pairs > 0).sum()

        monkeypatch.setattr(loop, "recam_batch", as_before)
        monkeypatch.setattr("recam_core.method.losses.pair_divisors", bincounted)
        train(recam, TinyDataset(), tmp_path / "before", init=start)
    finally:
        torch.set_num_threads(before)
    one, other = (load_run(tmp_path / name).network.state_dict() for name in ("now", "before"))
    assert all(torch.equal(one[name], other[name]) for name in one)


# Maps by batches ------------------------------------------------------------------------------------------------------


class Mixed(TinyDataset):
    """Pictures of three sizes, in turn."""

    def load(self, index):
        sample = super().load(index)
        pad = ((0, 0), (0, 16 * (index % 3)))
        return dataclasses.replace(sample, image=np.pad(sample.image, (*pad, (0, 0))), mask=np.pad(sample.mask, pad))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return CamNetwork("timm:resnet10t", 3, 32).eval()


def test_pictures_of_one_size_pass_together_and_come_in_their_order(network, monkeypatch):
    data, settings = Mixed(11), MapSettings()
    alone = list(maps_of_dataset(network, data, ["fc1"], settings))
    seen = []
    features = CamNetwork.features
    monkeypatch.setattr(CamNetwork, "features", lambda self, x: seen.append(len(x)) or features(self, x))
    work = []

    def levels(sample, found):
        from recam_core.maps.inference import maps_from_features

        work.append(sample.id)
        return maps_from_features(found, network.fc1, np.flatnonzero(sample.labels), sample.id)

    together = list(each_picture(network, data, levels, at_once=3))
    assert [sample.id for sample, _ in together] == data.ids
    assert sorted(work) == sorted(data.ids)
    assert max(seen) == 6  # three pictures with their mirror images
    for (_, maps), (_, one) in zip(alone, together, strict=True):
        assert np.array_equal(maps["fc1"].classes, one.classes)
        assert np.abs(maps["fc1"].activations.astype(int) - one.activations).max(initial=0) <= 1


def test_a_gpu_takes_several_pictures_of_one_size(monkeypatch):
    together = []

    def features(network, images, scales, mirror):
        together.append(len(images))
        return [None] * len(images)

    monkeypatch.setattr(dataset_maps, "batch_features", features)
    on_gpu = argparse.Namespace(device=CUDA_0)
    data = Mixed(11)
    assert [sample.id for sample, _ in each_picture(on_gpu, data, lambda sample, found: None)] == data.ids
    assert together == [4, 4, 3]


def test_the_next_pictures_are_read_while_the_network_works():
    ahead = threading.Event()

    class Watched(TinyDataset):
        def load(self, index):
            if index == dataset_maps.READ_AHEAD:
                ahead.set()
            return super().load(index)

    reading = dataset_maps.read_ahead(Watched(), range(8), dataset_maps.READ_AHEAD)
    assert next(reading).id == "tiny_0"
    assert ahead.wait(10)
    assert [sample.id for sample in reading] == Watched().ids[1:]


def test_a_cpu_takes_one_picture_at_a_time(network, monkeypatch):
    seen = []
    features = CamNetwork.features
    monkeypatch.setattr(CamNetwork, "features", lambda self, x: seen.append(len(x)) or features(self, x))
    list(maps_of_dataset(network, Mixed(4), ["fc1"], MapSettings(scales=(1.0,), mirror=False)))
    assert seen == [1] * 4


# The gate -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def other(tmp_path):
    """Another process at the gate of ``card.lock``: it enters, says so, and leaves once it is told to."""
    told, said = multiprocessing.Pipe(), multiprocessing.Pipe()

    def work() -> None:
        gate = Gate(tmp_path / "card.lock")
        gate.enter()
        said[1].send("inside")
        told[0].recv()
        gate.leave()

    process = multiprocessing.get_context("fork").Process(target=work)
    yield process, told[1], said[0]
    if process.pid is not None:
        process.kill()
        process.join()


def test_a_cpu_has_no_gate():
    with device_gate("cpu") as gate, device_gate(torch.device("cpu")):
        assert gate is None


def test_threads_take_turns_and_one_may_enter_twice(tmp_path):
    gate, inside, most = Gate(tmp_path / "card.lock"), [], []

    def work() -> None:
        for _ in range(5):
            gate.enter()
            gate.enter()
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.001)
            inside.pop()
            gate.leave()
            gate.leave()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == [1] * 20


def test_processes_take_turns(tmp_path, other):
    process, told, said = other
    process.start()
    assert said.recv() == "inside"
    gate, entered = Gate(tmp_path / "card.lock"), threading.Event()
    thread = threading.Thread(target=lambda: (gate.enter(), entered.set()))
    thread.start()
    assert not entered.wait(0.2)
    told.send("leave")
    assert entered.wait(10)
    thread.join()


def test_a_killed_process_leaves_the_gate_open(tmp_path, other):
    process, _, said = other
    process.start()
    assert said.recv() == "inside"
    process.kill()
    Gate(tmp_path / "card.lock").enter()


def test_long_work_lets_the_others_in_and_hands_them_the_memory(tmp_path, other, monkeypatch):
    process, told, said = other
    gate = Gate(tmp_path / "card.lock")
    with cards(monkeypatch) as asked:
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device=None: 2 << 30)  # all of it in use
        gate.enter()
        gate.give_way()
        assert asked == [], "nobody waits"
        process.start()
        until = time.monotonic() + 10
        while not gate._others_wait() and time.monotonic() < until:
            time.sleep(0.01)
        assert not said.poll(0.1)
        told.send("leave as soon as you are in")
        gate.give_way()
        assert said.poll(0), "back before the other was inside"
        assert asked == [("empty_cache",)]
        gate.leave()


def test_idle_memory_is_handed_over_at_the_end_of_a_piece(tmp_path, monkeypatch):
    gate = Gate(tmp_path / "card.lock")
    with cards(monkeypatch) as asked:
        gate.enter()
        gate.leave()
        assert asked == [("empty_cache",)]  # 4 GiB a card are held and not used


def test_a_fork_does_not_keep_the_gate_shut(tmp_path):
    gate = Gate(tmp_path / "card.lock")
    gate.enter()
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(20,))
    child.start()
    try:
        gate.leave()
        assert gate._is_free()
    finally:
        child.kill()
        child.join()


@pytest.fixture
def gate(tmp_path, monkeypatch):
    """A gate that the CPU has for once."""
    made = Gate(tmp_path / "card.lock")
    monkeypatch.setattr(gates, "gate_of", lambda device: made)
    return made


def compared(network: CamNetwork) -> None:
    plan = ComparePlan(faithful=1, faithfulness=FaithfulnessSettings(steps=2, masks=2, shakes=1), draws=0)
    compare_methods(network, TinyDataset(1), ["cam"], plan)


def named(network: CamNetwork) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figure1_full, "load_run", lambda out, device: argparse.Namespace(network=network))
        figure1_full._right(Path(), TinyDataset(2), "cpu")


def looked_at(network: CamNetwork) -> None:
    info = argparse.Namespace(classes=("red", "green", "blue"), recipe={}, method="bce")
    measure_negatives(argparse.Namespace(network=network, info=info), TinyDataset(2))


def timed(network: CamNetwork) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(full_cost, "load_run", lambda init, device: argparse.Namespace(network=copy.deepcopy(network)))
        full_cost._measured("", TinyDataset(2), tiny_recipe(batch_size=2), "cpu", time.thread_time)


@pytest.mark.parametrize(
    "work",
    [
        lambda network, other: compared(network),
        lambda network, other: looked_at(network),
        lambda network, other: timed(network),
        lambda network, other: walkthrough(network, TinyDataset(1).load(0).image, [0, 1], 0),
        lambda network, other: named(network),
        lambda network, other: other.logits(TinyDataset(1).load(0).image),
        lambda network, other: list(maps_of_dataset(network, TinyDataset(1), ["fc1"], MapSettings(scales=(1.0,)))),
        lambda network, other: logit_map(network, TinyDataset(1).load(0).image),
        lambda network, other: pass_seconds(network, TinyDataset(1).load(0).image),
    ],
    ids=["compare", "negatives", "cost", "equations", "figure 1", "classifier", "maps", "logits", "time"],
)
def test_every_network_runs_behind_the_gate(work, network, gate):
    other = foreign_classifier("timm:test_vit", classes=("a", "b"), untrained=True)
    alone: list[bool] = []
    watching = torch.nn.modules.module.register_module_forward_pre_hook(lambda *_: alone.append(gate.is_mine))
    try:
        work(network, other)
    finally:
        watching.remove()
    assert set(alone) == {True}


def test_a_training_is_behind_the_gate_asks_for_kernels_that_repeat_and_gives_way_at_each_step(
    gate, tmp_path, monkeypatch
):
    asked, alone, gave_way = [], [], []
    plain = loop.repeatable

    def noted(device: torch.device) -> AbstractContextManager[None]:
        asked.append(device)
        return plain(device)

    monkeypatch.setattr(loop, "repeatable", noted)
    monkeypatch.setattr(gate, "give_way", lambda: gave_way.append(gate.is_mine))
    features = CamNetwork.features

    def watched(self: CamNetwork, x: torch.Tensor) -> torch.Tensor:
        alone.append(gate.is_mine)
        return features(self, x)

    monkeypatch.setattr(CamNetwork, "features", watched)
    train(tiny_recipe(epochs=1, batch_size=2), TinyDataset(4), tmp_path / "run", val=TinyDataset(1), workers=0)
    assert set(alone) == {True}
    assert gave_way == [True] * 2
    assert asked == [torch.device("cpu")]


@pytest.mark.parametrize("update", ["fc2", "both"])
def test_retraining_lets_others_in_between_its_steps_and_changes_no_bit(update, gate, monkeypatch):
    torch.manual_seed(0)
    labels = torch.tensor([[1, 0], [0, 1], [1, 1], [1, 0]]).bool()
    block = FeatureBlock(torch.arange(4), torch.rand(4, 8, 3, 3).half(), labels, None)
    cache = FeatureCache((block,), "made", "")
    info = argparse.Namespace(weights_sha256="", has_background=True, name="made")
    run = argparse.Namespace(info=info, network=argparse.Namespace(fc1=torch.rand(2, 8)))
    recipe = HeadRecipe(update=update, epochs=6, batch_size=2)
    served: list[int] = []

    def passer_by() -> None:
        gate.enter()
        served.append(len(ticks))
        gate.leave()

    def progress(done: int, total: int, note: str) -> None:
        ticks.append(done)
        assert gate.is_mine
        if done == 2:
            thread.start()
            while not gate._waiting and thread.is_alive():
                time.sleep(0.001)

    thread, ticks = threading.Thread(target=passer_by), []
    disturbed = retrain_heads(cache, run, recipe, progress)
    thread.join()
    assert served == [2]
    monkeypatch.setattr(gates, "gate_of", lambda device: None)
    alone = retrain_heads(cache, run, recipe)
    assert torch.equal(disturbed.fc1, alone.fc1)
    assert torch.equal(disturbed.fc2, alone.fc2)


def test_heads_are_scored_behind_the_gate(gate, monkeypatch):
    block = FeatureBlock(torch.arange(2), torch.rand(2, 8, 3, 3).half(), torch.ones(2, 2).bool(), None)
    values = np.ones(len(head_scores.sampled_places(48)) ** 2, dtype=np.uint8)
    truth = head_scores.SampledTruth(("a", "b"), ((48, 48),) * 2, (values,) * 2, ClassList(("one", "two")))
    alone, grids = [], head_scores._grids
    monkeypatch.setattr(head_scores, "_grids", lambda *words: alone.append(gate.is_mine) or grids(*words))
    heads = [map_weights("fc1", torch.rand(2, 8), None)]
    head_scores.count_sampled(FeatureCache((block,), "made", ""), truth, heads)
    assert alone == [True] * 2


def test_features_that_are_pooled_let_others_in_between_their_chunks(gate, monkeypatch):
    block = FeatureBlock(torch.arange(20), torch.rand(20, 8, 3, 3).half(), torch.ones(20, 2).bool(), None)
    asked: list[bool] = []
    monkeypatch.setattr(gate, "give_way", lambda: asked.append(gate.is_mine))
    with device_gate("cpu"):
        pooled_pairs(FeatureCache((block,), "made", ""), torch.rand(2, 8), [parse_mask("soft")])
    assert asked == [True] * 3
    pooled_pairs(FeatureCache((block,), "made", ""), torch.rand(2, 8), [parse_mask("soft")])
    assert asked == [True] * 3, "who is not inside cannot give way"


# make gpu-check -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gpu_check(repo_root):
    spec = importlib.util.spec_from_file_location("gpu_check", repo_root / "tools" / "gpu_check.py")
    module = sys.modules["gpu_check"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["gpu_check"]


def test_without_a_gpu_the_check_says_so_and_fails(gpu_check, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gpu_check.py"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(gpu_check, "run_tests", lambda: pytest.fail("nothing is to be run"))
    assert gpu_check.main() == 3
    assert capsys.readouterr().out.startswith("There is no CUDA GPU here")


def test_the_check_measures_and_writes_its_table(gpu_check, repo_root, tmp_path, monkeypatch, capsys):
    file = tmp_path / "results.md"
    file.write_text((repo_root / "docs" / "results.md").read_text())
    before, _, after = file.read_text().partition(gpu_check.BEGIN)
    monkeypatch.setattr(sys, "argv", ["gpu_check.py", "--out", str(file)])
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Pretender")
    monkeypatch.setattr(gpu_check, "rows", lambda device, sizes: iter([("BCE step", "1 ms")]))
    failed = []
    monkeypatch.setattr(gpu_check, "run_tests", lambda: bool(failed))
    with cards(monkeypatch):
        assert gpu_check.main() == 0
        assert gpu_check.main() == 0  # a second table takes the first one's place
        table = file.read_text().removeprefix(before).removesuffix(after.partition(gpu_check.END)[2])
        assert table.count("| BCE step | 1 ms |") == table.count("| | Pretender |") == 1
        failed.append(1)
        file.write_text("no marks")
        assert gpu_check.main() == 1
        failed.clear()
        assert gpu_check.main() == 2
    assert "has no lines" in capsys.readouterr().err
    assert file.read_text() == "no marks"


def test_each_benchmark_of_the_check_runs(gpu_check):
    sizes = gpu_check.Sizes(64, 2, 4, 1, 12, 2, 1, "timm:resnet10t", VAL, (32, 2, 2))
    lines = dict(gpu_check.rows(torch.device("cpu"), sizes))
    assert [line.split("(")[0].strip() for line in lines][:2] == ["BCE step", "ReCAM step"]
    assert len(lines) == 6
    assert all(float(figure.split()[0]) >= 0 for figure in lines.values())


def test_processes_read_the_same_pictures_and_pass_on_what_is_wrong(network):
    class Torn(Mixed):
        def load(self, index):
            if index == 7:
                raise UserError("pictures/7.jpg cannot be read: it is torn.")
            return super().load(index)

    def size(sample, found):
        return os.getpid(), found.size

    alone = list(each_picture(network, Mixed(7), size))
    apart = each_picture(network, Torn(11), size, workers=2)
    for sample, made in alone:
        other, again = next(apart)
        assert (other.id, again) == (sample.id, made)
        assert np.array_equal(other.image, sample.image)
        assert np.array_equal(other.mask, sample.mask)
    with pytest.raises(UserError, match=r"^pictures/7\.jpg cannot be read: it is torn\.$"):
        next(apart)


def test_only_depthwise_layers_and_only_without_gradients_go_past_cudnn(monkeypatch):
    """cuDNN compiles such a layer for each new size of a picture."""
    backbone = build_backbone("tf_efficientnet_lite0").module
    convolve, seen = torch.nn.functional.conv2d, []

    def watched(x, weight, bias, stride, padding, dilation, groups):
        seen.append((groups > 1, torch.backends.cudnn.enabled))
        return convolve(x, weight, bias, stride, padding, dilation, groups)

    monkeypatch.setattr(torch.nn.functional, "conv2d", watched)
    monkeypatch.setattr(torch.Tensor, "is_cuda", property(lambda self: True))
    with torch.inference_mode():
        backbone(torch.zeros(1, 3, 32, 32))
    assert {(True, False), (False, True)} == set(seen)
    assert torch.backends.cudnn.enabled
    seen.clear()
    backbone(torch.zeros(1, 3, 32, 32))
    assert {enabled for _, enabled in seen} == {True}
    monkeypatch.setattr(torch.nn.functional, "conv2d", lambda *words: 1 / 0)
    with torch.inference_mode(), pytest.raises(ZeroDivisionError):
        next(layer for layer in backbone.modules() if getattr(layer, "groups", 1) > 1)(torch.zeros(1, 32, 8, 8))
    assert torch.backends.cudnn.enabled


# On a GPU -------------------------------------------------------------------------------------------------------------


@pytest.mark.cuda
def test_losses_of_a_step_come_from_every_card():
    for number in range(torch.cuda.device_count()):
        reader, found = LossReader(), []
        for step in range(5):
            value = torch.tensor(float(step), device=f"cuda:{number}")
            found += reader.put(step, {"loss": value})
        found += reader.rest()
        assert found == [(step, {"loss": float(step)}) for step in range(5)]


@pytest.mark.cuda
@pytest.mark.parametrize("background", [0.0, 0.2])
def test_no_step_waits_for_the_gpu(background):
    """As CUDA itself says: in this mode torch raises where the CPU would wait."""
    torch.manual_seed(0)
    features = torch.rand(3, 8, 5, 6, device="cuda").contiguous(memory_format=torch.channels_last).requires_grad_()
    fc1 = torch.randn(4, 8, device="cuda", requires_grad=True)
    fc2 = torch.randn(5 if background else 4, 8, device="cuda", requires_grad=True)
    pairs = type(batch_pairs(LABELS, True))(
        *(one.pin_memory() if torch.is_tensor(one) else one for one in batch_pairs(LABELS, background > 0))
    )
    labels = LABELS.pin_memory()

    def step():
        there = labels.to("cuda", non_blocking=True)
        logits = features.mean(dim=(2, 3)) @ fc1.T
        return recam_batch(
            features, logits, there, fc1, fc2, parse_mask("soft"), 1.0, background=background, pairs=pairs.to("cuda")
        )

    step().total.backward()  # opens cuBLAS
    torch.cuda.set_sync_debug_mode("error")
    try:
        loss = step()
        loss.total.backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    mine = recam_batch(
        features.detach().cpu().contiguous(),
        (features.mean(dim=(2, 3)) @ fc1.T).detach().cpu(),
        LABELS,
        fc1.detach().cpu(),
        fc2.detach().cpu(),
        parse_mask("soft"),
        1.0,
        background=background,
    )
    assert float(loss.total) == pytest.approx(float(mine.total), rel=1e-4)


@pytest.mark.cuda
def test_trainings_on_a_gpu_repeat_themselves_and_resemble_a_cpus(tmp_path):
    recipe = tiny_recipe(epochs=1, batch_size=4)
    for name, device in (("cpu", "cpu"), ("one", "cuda:0"), ("two", "cuda:0")):
        train(recipe, TinyDataset(), tmp_path / name, device=device, workers=0)
        start = load_run(tmp_path / name)
        recam = dataclasses.replace(recipe, method="recam", lr_fc2=1e-2, rule="product")
        train(recam, TinyDataset(), tmp_path / f"{name}-recam", init=start, device=device, workers=0)
    for kind in ("", "-recam"):
        states = {name: load_run(tmp_path / f"{name}{kind}").network.state_dict() for name in ("cpu", "one", "two")}
        for key, value in states["one"].items():
            torch.testing.assert_close(value, states["two"][key], rtol=1e-3, atol=1e-5)
            torch.testing.assert_close(value.float(), states["cpu"][key].float(), rtol=0.2, atol=0.05)


@pytest.mark.cuda
def test_maps_of_a_gpu_are_those_of_a_cpu(network):
    data = Mixed(11)
    mine = list(maps_of_dataset(network, data, ["fc1"], MapSettings()))
    try:
        theirs = list(maps_of_dataset(network.to("cuda:0"), data, ["fc1"], MapSettings()))
    finally:
        network.to("cpu")
    for (one, maps), (other, again) in zip(mine, theirs, strict=True):
        assert one.id == other.id
        assert np.abs(maps["fc1"].activations.astype(int) - again["fc1"].activations).max(initial=0) <= 3


@pytest.mark.cuda
def test_a_picture_of_another_size_waits_for_no_compiler():
    backbone = build_backbone("tf_efficientnet_lite0").module.to("cuda:0", memory_format=torch.channels_last)
    with torch.inference_mode():
        for side in (64, 96):
            backbone(torch.zeros(1, 3, side, side, device="cuda:0"))
        torch.cuda.synchronize()
        begin = time.monotonic()
        for side in range(128, 448, 32):
            backbone(torch.rand(1, 3, side, side + 32, device="cuda:0").contiguous(memory_format=torch.channels_last))
        torch.cuda.synchronize()
    assert time.monotonic() - begin < 5  # ten sizes; with cuDNN 9.10 a second and more each


@pytest.mark.cuda
def test_a_real_lack_of_memory_is_a_sentence_and_gives_all_back():
    free = torch.cuda.mem_get_info(0)[0]

    def work() -> list[torch.Tensor]:
        return [torch.empty(free // 4, dtype=torch.uint8, device="cuda:0") for _ in range(8)]

    with pytest.raises(OutOfMemory), memory_told("Take less."):
        work()
    assert torch.cuda.mem_get_info(0)[0] > 0.9 * free
