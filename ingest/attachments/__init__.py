"""Attachments: where their bytes are kept, and how they travel beside statements (Data 2.4.11, Communication 1.5.2)."""
