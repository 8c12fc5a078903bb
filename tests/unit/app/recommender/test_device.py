"""Which device a model is trained on. What a GPU itself answers is the library's to test: none is needed here."""

from __future__ import annotations

import implicit.gpu
import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares as OnCpu
from implicit.gpu.als import AlternatingLeastSquares as OnGpu

from app.recommender import device


@pytest.fixture(params=["no rmm", "no device"])
def no_gpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without, whatever this one has."""
    monkeypatch.setattr(implicit.gpu, "HAS_CUDA", False)
    monkeypatch.setattr(implicit.gpu, "HAS_RMM", request.param == "no device")


@pytest.fixture
def a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with one, as far as implicit says so; nothing is trained on it."""
    monkeypatch.setattr(implicit.gpu, "HAS_CUDA", True)
    monkeypatch.setattr(implicit.gpu, "HAS_RMM", True)


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_auto_takes_the_cpu_and_gpu_says_so() -> None:
    assert not device.uses_gpu("auto")
    assert not device.uses_gpu("cpu")
    with pytest.raises(device.NoGpu, match=r"RECOMMENDER_DEVICE is gpu, but .* set RECOMMENDER_DEVICE to auto or cpu"):
        device.uses_gpu("gpu")
    with pytest.raises(device.NoGpu):
        device.alternating_least_squares("gpu", use_cg=True, factors=4)


@pytest.mark.usefixtures("a_gpu")
def test_with_a_gpu_only_cpu_keeps_off_it() -> None:
    assert device.uses_gpu("auto")
    assert device.uses_gpu("gpu")
    assert not device.uses_gpu("cpu")
    options = {"factors": 4, "regularization": 2.0, "alpha": 1.0, "iterations": 3, "random_state": 1}
    assert isinstance(device.alternating_least_squares("auto", use_cg=False, **options), OnGpu)
    on_cpu = device.alternating_least_squares("cpu", use_cg=False, **options)
    assert isinstance(on_cpu, OnCpu)
    assert (on_cpu.factors, on_cpu.regularization, on_cpu.iterations, on_cpu.use_cg) == (4, 2.0, 3, False)


def test_factors_come_back_as_an_array() -> None:
    class Matrix:
        """As `implicit.gpu.Matrix` gives its contents."""

        def to_numpy(self) -> np.ndarray:
            return np.ones((2, 3), np.float16)

    assert device.to_host(Matrix()).dtype == np.float32
    assert device.to_host(np.zeros((2, 3), np.float32)).shape == (2, 3)
