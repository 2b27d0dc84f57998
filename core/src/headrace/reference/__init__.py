"""The plainest implementation of every port, offered through the public hooks: the default in tests and the model for authors."""
