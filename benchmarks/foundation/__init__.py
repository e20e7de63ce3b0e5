"""The foundation's figures: heat, energy, speed, environments, start-up, errors, traps."""
