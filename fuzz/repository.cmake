paro_fuzz(repository DEPENDS paro_hub)
