paro_fuzz(tokenizer DEPENDS paro_text)
