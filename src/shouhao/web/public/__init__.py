"""What patients, channels and payment gateways reach."""
