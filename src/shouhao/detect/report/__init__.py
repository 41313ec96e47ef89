"""The report of `shouhao analyze`: one page that an outpatient office can read and a police officer can check."""
