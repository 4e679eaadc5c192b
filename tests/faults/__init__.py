"""What goes wrong around a production server, done to a real one while clients keep count."""
