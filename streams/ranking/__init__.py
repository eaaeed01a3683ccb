"""Pure: the score that orders lists of warnings, as a fold over what is known of a student week by week."""
