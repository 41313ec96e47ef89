"""What every room stands on: time, ids, errors, events, randomness. Standard library only."""
