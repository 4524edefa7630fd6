paro_fuzz(prefix_file DEPENDS paro_engine)
