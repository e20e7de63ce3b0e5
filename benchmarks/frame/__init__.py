"""What the studies of the checkout share: contests side by side, the command line."""
