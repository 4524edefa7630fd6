paro_fuzz(stop_matcher DEPENDS paro_server)
