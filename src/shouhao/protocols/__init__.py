"""What other systems speak: identity authorities, FHIR, payment gateways."""
