"""Where a model is trained: on this machine's processors, or on its graphics card through `implicit.gpu`."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

Device = Literal["auto", "cpu", "gpu"]


class NoGpu(Exception):
    """The GPU was asked for by name and can't be used; the message says why, and the remedy."""


def why_no_gpu() -> str | None:
    """What stands in the way of `implicit.gpu`; None where nothing does."""
    import implicit.gpu

    if not implicit.gpu.HAS_RMM:
        return "the package rmm is not installed (for CUDA 13: pip install rmm-cu13)"
    if not implicit.gpu.HAS_CUDA:
        return "CUDA finds no device here"
    return None


def uses_gpu(device: Device) -> bool:
    """Whether to train on the GPU: `auto` where there is one, `gpu` or NoGpu, `cpu` never."""
    if device == "cpu":
        return False
    reason = why_no_gpu()
    if reason is None:
        return True
    if device == "gpu":
        raise NoGpu(
            f"RECOMMENDER_DEVICE is gpu, but {reason}. Put that right, or set RECOMMENDER_DEVICE to auto or cpu."
        )
    return False


def alternating_least_squares(device: Device, *, use_cg: bool, **options: Any) -> Any:
    """implicit's model for that device, untrained. The GPU has the conjugate-gradient solver only."""
    if uses_gpu(device):
        from implicit.gpu.als import AlternatingLeastSquares as OnGpu

        return OnGpu(**options)
    from implicit.cpu.als import AlternatingLeastSquares as OnCpu

    return OnCpu(use_cg=use_cg, **options)


def to_host(factors: Any) -> np.ndarray:
    """A trained model's factors as an array of this machine's memory, float32."""
    return np.asarray(factors.to_numpy() if hasattr(factors, "to_numpy") else factors, dtype=np.float32)
