"""The study of the planner: measured grids, twins of Jetson boards, real training."""
