"""How each simulated provider tells what students do: own verbs, own identifiers, own rhythm."""
