"""Fault schedules: real processes are killed, stopped and lied to, and the end is compared with a reference."""
