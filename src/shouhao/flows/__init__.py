"""What happens across rooms, one file a story."""
