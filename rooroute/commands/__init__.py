"""What each word of the command line does. Commands open the same house the server uses, never ask while a loop runs, and speak through a Terminal."""
