from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from torch._inductor.exc import InductorError, TritonMissing

from dermalens.core.errors import DataError, StoppedError, TrainingError
from dermalens.core.files import has_locks, write_whole
from dermalens.data.index import read_index
from dermalens.data.split import write_split
from dermalens.train.checkpoint import AtomicCheckpointIO
from dermalens.train.epochs import read_metrics
from dermalens.train.failures import check_machine, plain_failures
from dermalens.train.notes import read_notes
from dermalens.train.run import LOCK, train


class Accident(Callback):
    """Something happens in the first step of an epoch."""

    def __init__(self, happens, epoch: int = 1) -> None:
        self.happens, self.epoch = happens, epoch

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch == self.epoch and batch_idx == 0:
            self.happens()


def fill_cpu_memory() -> None:
    torch.empty(2**60, dtype=torch.uint8)


ANOTHER_RUN = "best.ckpt is intact: a run with the changed recipe may begin with it (another --out, --set model."


def fill_gpu_memory() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def fill_gpu_memory_outside_of_pytorch() -> None:
    raise RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported")


def fill_gpu_memory_before_cublas() -> None:
    raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")


def fill_memory_of_the_system() -> None:
    raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


def fill_disk() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def lose_the_loss() -> None:
    raise FloatingPointError("The loss became nan.")


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("happens", "message", "kept"),
    [
        (fill_cpu_memory, r"Out of memory: .*trainer\.batch_size=7 with trainer\.accumulate=2", ANOTHER_RUN),
        (fill_gpu_memory, r"Out of memory: .*trainer\.batch_size=7", ANOTHER_RUN),
        (fill_gpu_memory_outside_of_pytorch, r"Out of memory: .*trainer\.batch_size=7", ANOTHER_RUN),
        (fill_gpu_memory_before_cublas, r"Out of memory: .*trainer\.batch_size=7", ANOTHER_RUN),
        (fill_memory_of_the_system, r"Out of memory: .*trainer\.batch_size=7", ANOTHER_RUN),
        (fill_disk, r"disk is full .*No space left on device", "last.ckpt is intact; go on with --resume"),
        (lose_the_loss, r"loss became nan", ANOTHER_RUN),
    ],
)
def test_an_accident_gives_one_line_and_leaves_the_last_checkpoint(make_recipe, tmp_path, happens, message, kept):
    run = tmp_path / "run"
    with pytest.raises(TrainingError, match=message) as caught:
        train(make_recipe(["trainer.epochs=2"]), run, callbacks=[Accident(happens)])
    assert kept in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(torch.load(run / "last.ckpt", weights_only=True)["state_dict"]) > 10
    assert [record.epoch for record in read_metrics(run / "metrics.csv")] == [0]


@pytest.mark.parametrize("name", ["n" * 300, "file/run"])
def test_a_folder_that_cannot_be_made_gives_one_line(make_recipe, tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match=r"cannot be written .*choose another --out\."):
        train(make_recipe(), tmp_path / name)


def test_a_run_that_has_only_its_best_checkpoint_says_so(make_recipe, tmp_path):
    (tmp_path / "best.ckpt").touch()
    said = "best.ckpt holds a complete epoch, but there is nothing to resume from"
    with pytest.raises(TrainingError, match=said), plain_failures(make_recipe(), tmp_path):
        fill_disk()


def test_what_is_advised_after_an_accident_can_be_done(make_recipe, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(TrainingError, match="Out of memory"):
        train(make_recipe(["trainer.epochs=2"]), run, callbacks=[Accident(fill_gpu_memory)])
    smaller = ["trainer.epochs=1", "trainer.batch_size=7", "trainer.accumulate=2"]
    assert train(make_recipe([*smaller, f'model.weights="{run / "best.ckpt"}"']), tmp_path / "smaller").epochs == 1
    with pytest.raises(TrainingError, match="another recipe: trainer.batch_size"):
        train(make_recipe(["trainer.epochs=2", "trainer.batch_size=7"]), run, resume=True)


def test_weights_that_break_in_the_last_step_of_an_epoch_reach_no_checkpoint(make_recipe, tmp_path):
    class Break(Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            raise AssertionError("validation comes first")

        def on_validation_epoch_start(self, trainer, pl_module):
            with torch.no_grad():
                next(pl_module.network.parameters()).fill_(torch.nan)

    run = tmp_path / "run"
    with pytest.raises(TrainingError, match="validation loss of epoch 0 is no number.*no checkpoint yet"):
        train(make_recipe(), run, callbacks=[Break()])
    assert not (run / "best.ckpt").exists()
    assert not (run / "last.ckpt").exists()


@pytest.mark.skipif(not has_locks(), reason="this system has no lock of files")
def test_a_second_process_does_not_train_in_the_same_folder(make_recipe, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    script = f"import fcntl, sys; file = open({str(run / LOCK)!r}, 'w'); fcntl.lockf(file, 2); print(1); input()"
    with subprocess.Popen([sys.executable, "-uc", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"1\n"
        with pytest.raises(TrainingError, match="Another process trains in .*run. Wait for it, or"):
            train(make_recipe(), run)
        assert not (run / "run.json").exists()
        other.communicate(b"\n")
    assert train(make_recipe(), run).epochs == 4


def test_several_nodes_that_nobody_started_are_refused(make_recipe):
    with pytest.raises(TrainingError, match="neither by torchrun nor by Slurm"):
        check_machine(make_recipe(["trainer.nodes=2", 'trainer.accelerator="cpu"']))


def test_ctrl_c_says_how_to_go_on(make_recipe, tmp_path):
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(StoppedError, match="stopped from outside.*no checkpoint yet"):
            train(make_recipe(), tmp_path / "run", callbacks=[Accident(interrupt, epoch=0)])
    finally:
        signal.signal(signal.SIGINT, before)  # Lightning switches it off while it shuts down


def test_a_killed_worker_gives_one_line(make_recipe, tmp_path):
    def kill_worker() -> None:
        for worker in multiprocessing.active_children():
            os.kill(worker.pid or os.getpid(), signal.SIGKILL)
            worker.join(5)

    with pytest.raises(TrainingError, match=r"worker that loads images was killed.*data\.workers \(1 now\)"):
        train(make_recipe(["data.workers=1"]), tmp_path / "run", callbacks=[Accident(kill_worker, epoch=0)])


@pytest.mark.parametrize(
    "text",
    [
        "unable to allocate shared memory(shm) for file </torch_7_1>: No space left on device (28)",
        "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that they are out of shared memory.",
    ],
)
def test_too_little_shared_memory_is_said(make_recipe, tmp_path, text):
    said = r"^The shared memory, .*lower data\.workers \(2 now; .*--shm-size=2g\)\. No epoch was complete"
    with pytest.raises(TrainingError, match=said), plain_failures(make_recipe(["data.workers=2"]), tmp_path):
        raise RuntimeError(text)


def test_no_memory_for_another_worker_is_said(make_recipe, tmp_path):
    said = r"^Out of memory \(Cannot allocate memory\): lower data\.workers \(2 now\), or close other"
    with pytest.raises(TrainingError, match=said), plain_failures(make_recipe(["data.workers=2"]), tmp_path):
        fill_memory_of_the_system()


def test_another_out_is_advised_only_for_what_lies_in_the_run_folder(make_recipe, tmp_path):
    def fail_at(place: Path) -> str:
        with pytest.raises(TrainingError) as caught, plain_failures(make_recipe(), tmp_path / "link" / "run"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))
        return str(caught.value)

    (tmp_path / "runs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "runs")
    for place in (tmp_path / "runs" / "run" / "metrics.csv", tmp_path / "link"):
        assert f"{place} cannot be written (Permission denied): choose another --out." in fail_at(place)
    cache = tmp_path / "link" / "run2" / "cache"
    assert f"{cache} cannot be read or written (Permission denied): make it accessible, or name" in fail_at(cache)


def test_a_checkpoint_that_does_not_fit_on_the_disk_leaves_the_old_one(tmp_path):
    target = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"epoch": 1}, target)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # Python ignores SIGXFSZ: the write fails with EFBIG
    try:
        with pytest.raises(OSError, match="File too large"):
            AtomicCheckpointIO().save_checkpoint({"epoch": 2, "weights": torch.rand(100_000)}, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert torch.load(target, weights_only=True) == {"epoch": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_full_disk_while_the_checkpoint_is_written_gives_one_line(make_recipe, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(TrainingError, match="disk is full .*no checkpoint yet"):
            train(make_recipe(["trainer.epochs=1"]), tmp_path / "run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list((tmp_path / "run").glob("*.ckpt*"))


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    write_whole(tmp_path / "a", b"old")
    with pytest.raises(TypeError):
        write_whole(tmp_path / "a", "not bytes")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert not (tmp_path / "a.tmp").exists()


def test_a_missing_compiler_is_said(make_recipe):
    error = InductorError(RuntimeError("No working C++ compiler found in torch._inductor.config.cpp.cxx"), None)
    with (
        pytest.raises(TrainingError, match=r"install g\+\+ or Triton, or set trainer\.compile=false"),
        plain_failures(make_recipe(), Path()),
    ):
        raise error


def test_a_gpu_without_triton_is_said(make_recipe):
    with pytest.raises(TrainingError, match=r"torch\.compile failed \(.*triton"), plain_failures(make_recipe(), Path()):
        raise TritonMissing(None)


def test_without_a_recipe_no_key_of_one_is_named(tmp_path):
    said = "^Out of memory: this machine has too little for it"
    with pytest.raises(TrainingError, match=said), plain_failures(None, tmp_path):
        raise MemoryError


@pytest.mark.skipif(torch.accelerator.is_available(), reason="this machine has a GPU")
def test_more_devices_than_there_are_is_said_for_auto_too(make_recipe):
    with pytest.raises(TrainingError, match=r"PyTorch finds 0: set trainer\.devices=1, or trainer\.accelerator=cpu"):
        check_machine(make_recipe(["trainer.accelerator=auto", "trainer.devices=4"]))


def test_processes_that_torchrun_started_must_be_those_of_the_recipe(make_recipe, monkeypatch):
    for name, value in {"TORCHELASTIC_RUN_ID": "1", "RANK": "0", "WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TrainingError, match=r"4 process\(es\) were started by .*, the recipe asks for 1"):
        check_machine(make_recipe())
    check_machine(make_recipe(["trainer.devices=2", "trainer.nodes=2", "trainer.accelerator=cpu"]))


def test_several_processes_are_refused_in_an_interactive_python(make_recipe, monkeypatch):
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    check_machine(make_recipe())
    with pytest.raises(TrainingError, match="cannot be started from a notebook"):
        check_machine(make_recipe(["trainer.devices=2", "trainer.accelerator=cpu"]))


def test_a_trained_network_is_not_replaced_when_only_its_best_checkpoint_was_kept(make_recipe, tmp_path):
    (tmp_path / "best.ckpt").write_bytes(b"weights")
    with pytest.raises(TrainingError, match=r"already holds a trained network, best\.ckpt\. Choose another --out"):
        train(make_recipe(), tmp_path)
    assert (tmp_path / "best.ckpt").read_bytes() == b"weights"


def test_an_error_of_ours_is_not_dressed_up(make_recipe):
    with pytest.raises(RuntimeError, match="a bug"), plain_failures(make_recipe(), Path()):
        raise RuntimeError("a bug")


@pytest.mark.skipif(torch.accelerator.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_said_before_anything_is_written(make_recipe, tmp_path):
    with pytest.raises(TrainingError, match=r"asks for 2 GPU\(s\), PyTorch finds 0: set trainer\.accelerator=\"cpu\""):
        train(make_recipe(["trainer.accelerator=gpu", "trainer.devices=2"]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_folder_that_cannot_be_made_is_said(make_recipe, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TrainingError, match=r"file/run cannot be written \(Not a directory\): choose another --out"):
        train(make_recipe(), tmp_path / "file" / "run")


def test_an_unreadable_image_in_a_worker_is_named_in_one_line(make_recipe, split_file, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    rows = [replace(row, path=str(bad)) if row.image_id == "df_1" else row for row in read_index(split_file)]
    write_split(rows, tmp_path / "split.csv", seed=0)
    recipe = make_recipe([f"data.split='{tmp_path / 'split.csv'}'", "data.workers=1", "balance.sampler_power=0.0"])
    with pytest.raises(DataError, match="^Image df_1 ") as caught:
        train(recipe, tmp_path / "run")
    assert "\n" not in str(caught.value)


def test_a_run_is_neither_overwritten_nor_resumed_with_another_recipe(make_recipe, split_file, tmp_path):
    run = tmp_path / "run"
    recipe = make_recipe(["trainer.epochs=1"])
    done = train(recipe, run)
    assert done.best == read_metrics(done.log)[0]
    assert done.checkpoint.is_file()
    assert done.curves.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    with pytest.raises(TrainingError, match="already holds a run"):
        train(recipe, run)
    with pytest.raises(TrainingError, match=r"optimizer\.lr \(was 0\.003, is 0\.1\), trainer\.epochs \(was 1, is 2\)"):
        train(make_recipe(["trainer.epochs=2", "optimizer.lr=0.1"]), run, resume=True)
    other = tmp_path / "split.csv"
    write_split([row for row in read_index(split_file) if row.image_id != "nv_0"], other, seed=0)
    with pytest.raises(TrainingError, match=r"on other data than .*split_sha256 differs"):
        train(make_recipe(["trainer.epochs=1", f"data.split='{other}'"]), run, resume=True)
    moved = tmp_path / "moved" / "split.csv"
    moved.parent.mkdir()
    write_split(read_index(split_file), moved, seed=0)
    before = (run / "last.ckpt").stat().st_mtime_ns
    elsewhere = ["trainer.epochs=1", "data.workers=1", f"data.split='{moved}'"]
    assert train(make_recipe(elsewhere), run, resume=True) == done
    assert (run / "last.ckpt").stat().st_mtime_ns == before
    assert read_notes(run)["training"]["best_epoch"] == 0
    assert read_notes(run)["training"]["epochs"] == 1


@pytest.fixture
def stopped(make_recipe, tmp_path) -> Path:
    """A run that was stopped in its third epoch."""
    with pytest.raises(TrainingError, match="disk is full"):
        train(make_recipe(), tmp_path / "stopped", callbacks=[Accident(fill_disk, epoch=2)])
    return tmp_path / "stopped"


@pytest.mark.parametrize("kept_bytes", [0, 1000])
def test_a_damaged_last_checkpoint_is_one_line(make_recipe, stopped, kept_bytes):
    last, best = stopped / "last.ckpt", (stopped / "best.ckpt").read_bytes()
    last.write_bytes(last.read_bytes()[:kept_bytes])
    said = r"last\.ckpt is damaged, nothing can be resumed from it\. Bring back a copy, .*best\.ckpt stays as it is\.$"
    with pytest.raises(TrainingError, match=said):
        train(make_recipe(), stopped, resume=True)
    assert (stopped / "best.ckpt").read_bytes() == best


def test_a_lost_last_checkpoint_does_not_cost_the_best_one(make_recipe, stopped):
    best = (stopped / "best.ckpt").read_bytes()
    (stopped / "last.ckpt").unlink()
    with pytest.raises(TrainingError, match=r"stopped has no last\.ckpt to resume from\. Bring it back from"):
        train(make_recipe(), stopped, resume=True)
    assert (stopped / "best.ckpt").read_bytes() == best


def test_a_run_killed_between_the_checkpoints_of_its_first_epoch_starts_over(make_recipe, tmp_path):
    recipe = make_recipe(["trainer.epochs=2"])
    with pytest.raises(TrainingError, match="disk is full"):
        train(recipe, tmp_path, callbacks=[Accident(fill_disk)])
    (tmp_path / "last.ckpt").unlink()
    assert train(recipe, tmp_path, resume=True).epochs == 2


def test_a_folder_without_a_run_cannot_be_resumed(make_recipe, tmp_path):
    with pytest.raises(TrainingError, match="There is no run in .* to resume"):
        train(make_recipe(), tmp_path / "nothing", resume=True)
