"""The console: tables and progress bars, what is safe on a terminal, kinds of options."""
