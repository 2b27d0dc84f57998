"""What users write: decorators over definitions; calling what they made starts the engine."""
