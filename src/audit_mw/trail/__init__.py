"""The disk and nothing else: how an event is kept, and read again."""
