"""What every study shares: figures against bars, contests side by side, rows, the command line."""
