"""The C++ of this folder, compiled where it runs."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

LANES: Final = 8
"""What the channels of an image must be a multiple of."""
LAST: Final = torch.channels_last
"""How images lie in memory."""


@cache
def library(name: str) -> ctypes.CDLL:
    """A compiled source, made once in each process for the processor that it runs on; needs g++."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / f"{name}.so"
        flags = ["-O3", "-march=native", "-ffast-math", "-fopenmp", "-shared", "-fPIC"]
        subprocess.run(["g++", *flags, "-o", str(target), str(Path(__file__).with_name(f"{name}.cpp"))], check=True)
        return ctypes.CDLL(str(target))


def entry(source: str, name: str, images: Tensor) -> Any:
    """A function of a source for the type of the images: float32 or bfloat16."""
    return getattr(library(source), f"{name}_{str(images.dtype).removeprefix('torch.')}")


def at(*tensors: Tensor) -> list[ctypes.c_void_p]:
    """Where their values lie."""
    return [ctypes.c_void_p(tensor.data_ptr()) for tensor in tensors]
