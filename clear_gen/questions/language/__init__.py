"""The program language: functions, programs, their execution, and the words for their values."""
