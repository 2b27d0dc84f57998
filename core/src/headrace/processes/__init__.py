"""Processes of runs on this machine: the files by which they are known, and what can be done with them from outside."""

from headrace.processes.process_file import Look, ProcessFile, folder_of, held

__all__ = ["Look", "ProcessFile", "folder_of", "held"]
