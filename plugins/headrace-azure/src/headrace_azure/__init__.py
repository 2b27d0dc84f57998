"""Storage in containers of Azure Blob Storage."""
