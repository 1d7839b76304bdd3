"""Images in an owner's files: pictures, arrays, columns of Parquet. Opened where they lie, read a batch at a time."""
