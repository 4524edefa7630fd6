paro_fuzz(native_request DEPENDS paro_server)
