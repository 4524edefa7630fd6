paro_fuzz(regex DEPENDS paro_text)
