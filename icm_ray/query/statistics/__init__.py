"""The statistics: a file for each with all its faces, and a catalogue with a row for each."""
