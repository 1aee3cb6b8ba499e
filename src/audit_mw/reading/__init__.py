# What people look for in a trail, and how it is shown to them or to their tools.
