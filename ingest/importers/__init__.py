"""Import of statements from elsewhere, through the door that everyone takes."""
