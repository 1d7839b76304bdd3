"""What an instance says over HTTP: the page of its data officer, on this machine alone; health and metrics."""
