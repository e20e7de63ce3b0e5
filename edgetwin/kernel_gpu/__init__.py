"""The batched kernel in torch: the same boards, many at once, on a GPU or on the CPU.

The one place where the equations of hw_models and edgetwin/kernel are written a second time, and
tested against them (tests/properties/test_kernel_gpu.py). It needs torch, the extra `learn`.
"""

from edgetwin.kernel_gpu.batch import Ended, GpuBatch
from edgetwin.kernel_gpu.fields import COUNTERS

__all__ = ["COUNTERS", "Ended", "GpuBatch"]
