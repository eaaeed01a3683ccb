"""A sample district: generated from a seed, and posted over HTTP as its content providers would."""
