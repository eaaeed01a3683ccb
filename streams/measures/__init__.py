"""Pure: how good predictions and warnings are: discrimination, calibration, errors by group, with intervals."""
