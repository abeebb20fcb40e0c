"""Loading weights from files, without running code that a file may hold."""
