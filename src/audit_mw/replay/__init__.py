"""A request again, from its record: exact, but for the gaps that it names."""
