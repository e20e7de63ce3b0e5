"""What people see and touch, measured: first steps, pages, gates, docs, the wheel."""
