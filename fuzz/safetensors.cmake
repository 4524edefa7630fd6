paro_fuzz(safetensors DEPENDS paro_checkpoint)
