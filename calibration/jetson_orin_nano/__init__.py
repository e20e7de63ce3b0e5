"""Jetson Orin Nano: power and heat from sessions of language-model inference."""
