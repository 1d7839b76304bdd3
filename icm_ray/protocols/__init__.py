"""One file for each family of protocols; each operation shows its four faces there."""
