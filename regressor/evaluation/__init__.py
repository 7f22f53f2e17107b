"""How good estimates are, by the field's protocols: truth, predictions, errors, reports."""
