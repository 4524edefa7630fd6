paro_fuzz(template DEPENDS paro_text)
