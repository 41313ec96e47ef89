"""What the hospital's machines speak to: cameras now."""
