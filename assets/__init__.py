"""Files that the programs read at run time: style sheet, word lists, document templates."""
