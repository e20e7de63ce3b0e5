"""Two training scripts that learn on a CPU, each with the three lines of the hook."""
