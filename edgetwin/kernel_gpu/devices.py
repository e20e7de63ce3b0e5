"""What a batch may run on, and in which precision."""

from importlib.util import find_spec

import torch

REAL = {"float64": torch.float64, "float32": torch.float32}


def checked(device: str, dtype: str, slots: int) -> torch.device:
    """The device of this name. ValueError when it, the precision or the slots cannot be."""
    if slots < 1:
        raise ValueError(f"slots is {slots}; give at least 1 per board.")
    if dtype not in REAL:
        raise ValueError(f"dtype is {dtype!r}; give one of {', '.join(REAL)}.")
    found = torch.device(device)
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device is {device!r}, but torch {torch.__version__} sees no GPU; give device='cpu' "
            "or install torch with CUDA."
        )
    return found


def fusing_pays(device: torch.device) -> bool:
    """Fused kernels save what launching each alone costs: on a GPU, where Triton is installed."""
    return device.type == "cuda" and find_spec("triton") is not None
