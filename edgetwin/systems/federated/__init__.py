"""Federated fine-tuning with forward passes alone, priced on boards."""
