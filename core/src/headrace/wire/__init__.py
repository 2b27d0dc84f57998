"""Plain data: values as what JSON can hold, and back. The only place that knows cattrs."""
