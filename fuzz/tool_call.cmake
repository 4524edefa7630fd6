paro_fuzz(tool_call DEPENDS paro_text)
