paro_fuzz(config DEPENDS paro_checkpoint)
