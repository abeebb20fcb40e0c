"""Worker processes of a campaign: the messages to them, their main loop, and what starts and restarts them."""
