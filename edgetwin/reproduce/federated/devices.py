"""Where runs were computed, so that a result says it."""


def device_name(device: str) -> str:
    """The accelerator behind a device of torch, or "cpu"."""
    if device == "cpu":
        return device
    import torch

    return str(torch.cuda.get_device_name(device))
