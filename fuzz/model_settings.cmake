paro_fuzz(model_settings DEPENDS paro_server)
