"""What has to be corrected in the records of students, found on the clock and put into the log (decision 12)."""
