"""Pure: skill states as a fold over attempts, under a calibration that is fitted apart."""
