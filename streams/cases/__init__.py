"""Cases as workers see them: raised and cleared by the rules, their events put into the log, and what came of them."""
