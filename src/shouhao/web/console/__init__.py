"""What staff reach."""
