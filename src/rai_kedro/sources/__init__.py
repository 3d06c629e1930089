"""Where months come from: a table, stores, or a database that a user has."""
