paro_fuzz(gbnf DEPENDS paro_text)
