"""Runs to runners: an agent claims runs from work queues, starts each through its flow runner, and sees how it ends."""
