"""Systems built on the seam: each decides what a board does, none knows of the others."""
