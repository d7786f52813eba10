"""What people read: a folder for each report, with what it measures, its record and its page."""
