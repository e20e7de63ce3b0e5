"""What clients learn from: rows of text, tasks by prompt and verbaliser, shares of the clients."""
