"""Sessions and slots, who may take them, and how they change hands."""
