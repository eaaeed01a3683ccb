"""Statements that broke a rule, of providers in quarantine: kept aside, repaired, replayed or discarded."""
