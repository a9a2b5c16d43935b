# Example programs: built into examples/NAME of the build folder.
