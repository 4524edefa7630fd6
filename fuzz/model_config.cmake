paro_fuzz(model_config DEPENDS paro_models)
