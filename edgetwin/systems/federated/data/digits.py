"""Handwritten digits (Alpaydin and Kaynak, UCI, as scikit-learn ships them), 8 x 8 points."""

from functools import cache
from typing import Final

import numpy as np
import torch

from edgetwin.systems.federated.data.examples import TableExamples

TRAINED: Final = 1297
"""Of 1797; the rest are for testing."""


@cache
def digits() -> tuple[TableExamples, TableExamples]:
    """For training and for testing, (n, 64) in [-1, 1], in one order drawn once for all.

    ModuleNotFoundError without scikit-learn.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "digits need scikit-learn: pip install 'edgetwin[learn]'."
        ) from error
    pixels, classes = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(pixels))
    x = torch.from_numpy((pixels[order] / 8 - 1).astype(np.float32))
    labels = classes[order].astype(np.int64)
    first, rest = slice(TRAINED), slice(TRAINED, None)
    return TableExamples(x[first], labels[first]), TableExamples(x[rest], labels[rest])
