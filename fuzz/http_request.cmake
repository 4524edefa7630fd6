paro_fuzz(http_request DEPENDS paro_server)
