"""Requests made of the rows of a table: a template, the tables it reads, and the lines that it renders."""
