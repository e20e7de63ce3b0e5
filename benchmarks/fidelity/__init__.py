"""How faithful fitted models are to measured boards: errors on data that no fit has seen."""
