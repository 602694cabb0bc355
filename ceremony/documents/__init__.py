"""Paper: the script, the report and sheets of words, as HTML, plain text and PDF."""
