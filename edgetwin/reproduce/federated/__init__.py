"""The study of federated fine-tuning with forward passes alone."""
