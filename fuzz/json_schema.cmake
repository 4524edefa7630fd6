paro_fuzz(json_schema DEPENDS paro_text)
